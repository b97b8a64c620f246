// The model repository endpoints: index, load, unload.
#include <string>
#include <utility>

#include "frontend/call.h"
#include "frontend/documents.h"
#include "frontend/model_descriptions.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
#include "protocol/repository_json.h"
#include "protocol/urlencoded.h"

namespace headrace::frontend {
namespace {

repository::LoadOverride OverrideOf(protocol::ModelLoadRequest request) {
  repository::LoadOverride load;
  load.config_json = std::move(request.config).value_or("");
  for (protocol::ModelFileOverride& file : request.files) {
    load.files[std::move(file.path)] = std::move(file.content);
  }
  return load;
}

// Of a load or unload request.
Result<std::string> TargetOf(const Call& call) {
  const bool namespaces = call.services.models.options().namespaces;
  const std::string model(call.match.model);
  return RepositoryTarget(protocol::PercentDecodeWherePossible(call.match.repository),
                          namespaces ? protocol::PercentDecodeWherePossible(model) : model,
                          namespaces);
}

// What the manager calls on one of its threads when it is done: answers on the exchange's loop.
std::function<void(Status)> AnswerWhenDone(Call& call) {
  return [exchange = call.exchange, &loops = call.services.loops](Status status) {
    loops.RefreshAll();
    exchange->loop().PostFunction([exchange, status = std::move(status)] {
      if (status.ok()) {
        ReplyStatusOnly(*exchange, 200, kJsonType);
      } else {
        ReplyError(*exchange, status);
      }
    });
  };
}

}  // namespace

void ServeRepositoryIndex(Call& call) {
  const auto request = protocol::ParseRepositoryIndexRequest(call.body());
  if (!request.ok()) {
    ReplyError(*call.exchange, request.status());
    return;
  }
  // Without namespaces the repository means nothing, as in a stock Triton.
  const bool one = call.services.models.options().namespaces && !call.match.repository.empty();
  const auto entries = RepositoryIndexOf(
      call.services.models,
      one ? protocol::PercentDecodeWherePossible(call.match.repository) : std::string(),
      request->ready_only);
  if (!entries.ok()) {
    ReplyError(*call.exchange, entries.status());
    return;
  }
  ReplyJson(*call.exchange, RepositoryIndexJson(*entries));
}

void ServeModelLoad(Call& call) {
  Result<std::string> target = TargetOf(call);
  if (!target.ok()) {
    ReplyError(*call.exchange, target.status());
    return;
  }
  protocol::ModelLoadLimits limits;
  limits.body_byte_size_max = call.services.InputByteSizeMax();
  auto request = protocol::ParseModelLoadRequest(call.body(), limits);
  if (!request.ok()) {
    ReplyError(*call.exchange, request.status());
    return;
  }
  call.services.models.LoadAsync(*std::move(target), OverrideOf(*std::move(request)),
                                 AnswerWhenDone(call));
}

void ServeModelUnload(Call& call) {
  Result<std::string> target = TargetOf(call);
  if (!target.ok()) {
    ReplyError(*call.exchange, target.status());
    return;
  }
  const auto request = protocol::ParseModelUnloadRequest(call.body());
  if (!request.ok()) {
    ReplyError(*call.exchange, request.status());
    return;
  }
  call.services.models.UnloadAsync(*std::move(target), request->unload_dependents,
                                   AnswerWhenDone(call));
}

}  // namespace headrace::frontend
