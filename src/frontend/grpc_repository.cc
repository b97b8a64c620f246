// The model repository over gRPC: index, load, unload.
#include <functional>
#include <string>
#include <utility>

#include "frontend/grpc_handlers.h"
#include "frontend/grpc_unary.h"
#include "frontend/model_descriptions.h"
#include "protocol/repository_json.h"

namespace headrace::frontend {
namespace {

constexpr std::string_view kFilePrefix = "file:";
constexpr std::size_t kShownMax = 64;

Result<inference::RepositoryIndexResponse> RepositoryIndex(
    GrpcContext& context, const inference::RepositoryIndexRequest& request) {
  HEADRACE_ASSIGN_OR_RETURN(
      std::vector<repository::IndexEntry> entries,
      RepositoryIndexOf(context.services.models, request.repository_name(), request.ready()));
  inference::RepositoryIndexResponse response;
  for (repository::IndexEntry& entry : entries) {
    auto& model = *response.add_models();
    model.set_name(std::move(entry.name));
    model.set_version(std::move(entry.version));
    model.set_state(std::move(entry.state));
    model.set_reason(std::move(entry.reason));
  }
  return response;
}

Status ReadLoadParameter(const std::string& name, inference::ModelRepositoryParameter& parameter,
                         const protocol::ModelLoadLimits& limits, repository::LoadOverride& load) {
  if (name == "config") {
    if (!parameter.has_string_param()) {
      return InvalidArgument("invalid value type for load parameter '{}', expected string_param.",
                             name);
    }
    if (parameter.string_param().size() > limits.config_byte_size_max) {
      return ResourceExhausted("load parameter 'config': more than {} bytes",
                               limits.config_byte_size_max);
    }
    load.config_json = std::move(*parameter.mutable_string_param());
    return OkStatus();
  }
  if (!name.starts_with(kFilePrefix)) {
    return InvalidArgument("unrecognized load parameter '{}'.", name.substr(0, kShownMax));
  }
  if (!parameter.has_bytes_param()) {
    return InvalidArgument("invalid value type for load parameter '{}', expected bytes_param.",
                           name.substr(0, kShownMax));
  }
  if (name.size() == kFilePrefix.size()) {
    return InvalidArgument("load parameter 'file:' has no path");
  }
  if (load.files.size() >= limits.file_count_max) {
    return InvalidArgument("more than {} files", limits.file_count_max);
  }
  load.files[name.substr(kFilePrefix.size())] = std::move(*parameter.mutable_bytes_param());
  return OkStatus();
}

Result<repository::LoadOverride> ReadLoad(inference::RepositoryModelLoadRequest& request) {
  const protocol::ModelLoadLimits limits;
  repository::LoadOverride load;
  for (auto& [name, parameter] : *request.mutable_parameters()) {
    HEADRACE_RETURN_IF_ERROR(ReadLoadParameter(name, parameter, limits, load));
  }
  if (!load.files.empty() && load.config_json.empty()) {
    return InvalidArgument(
        "load parameter 'config' must be specified when 'file:' parameters are given");
  }
  return load;
}

Result<bool> ReadUnloadDependents(const inference::RepositoryModelUnloadRequest& request) {
  bool unload_dependents = false;
  for (const auto& [name, parameter] : request.parameters()) {
    if (name != "unload_dependents") {
      return InvalidArgument("unrecognized unload parameter '{}'.", name.substr(0, kShownMax));
    }
    if (!parameter.has_bool_param()) {
      return InvalidArgument("invalid value type for unload parameter '{}', expected bool_param.",
                             name);
    }
    unload_dependents = parameter.bool_param();
  }
  return unload_dependents;
}

// Of a load or unload request.
template <typename Request>
Result<std::string> TargetOf(const GrpcContext& context, const Request& request) {
  return RepositoryTarget(request.repository_name(), request.model_name(),
                          context.services.models.options().namespaces);
}

// What the manager calls on one of its threads when it is done: answers on the call's loop. The
// messages of both answers are empty.
std::function<void(Status)> AnswerWhenDone(GrpcContext& context) {
  return [call = context.call, &loops = context.services.loops](Status status) {
    loops.RefreshAll();
    call->loop().PostFunction([call, status = std::move(status)] {
      if (status.ok()) {
        GrpcReply(*call, {});
      } else {
        call->Finish(status);
      }
    });
  };
}

}  // namespace

void GrpcRepositoryIndex(GrpcContext& context) {
  ServeUnary<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse,
             RepositoryIndex>(context);
}

void GrpcRepositoryModelLoad(GrpcContext& context) {
  inference::RepositoryModelLoadRequest request;
  if (Status status = ParseGrpcMessage(context.message, request); !status.ok()) {
    context.call->Finish(std::move(status));
    return;
  }
  Result<std::string> target = TargetOf(context, request);
  if (!target.ok()) {
    context.call->Finish(target.status());
    return;
  }
  Result<repository::LoadOverride> load = ReadLoad(request);
  if (!load.ok()) {
    context.call->Finish(load.status());
    return;
  }
  context.services.models.LoadAsync(*std::move(target), *std::move(load), AnswerWhenDone(context));
}

void GrpcRepositoryModelUnload(GrpcContext& context) {
  inference::RepositoryModelUnloadRequest request;
  if (Status status = ParseGrpcMessage(context.message, request); !status.ok()) {
    context.call->Finish(std::move(status));
    return;
  }
  Result<std::string> target = TargetOf(context, request);
  if (!target.ok()) {
    context.call->Finish(target.status());
    return;
  }
  const Result<bool> unload_dependents = ReadUnloadDependents(request);
  if (!unload_dependents.ok()) {
    context.call->Finish(unload_dependents.status());
    return;
  }
  context.services.models.UnloadAsync(*std::move(target), *unload_dependents,
                                      AnswerWhenDone(context));
}

}  // namespace headrace::frontend
