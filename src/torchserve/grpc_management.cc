// org.pytorch.serve.grpc.management.ManagementAPIsService (contracts, TorchServe 4.2 and 4.3).
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "frontend/grpc_unary.h"
#include "net/event_loop.h"
#include "store/model_store.h"
#include "torchserve/customized_description.h"
#include "torchserve/grpc_errors.h"
#include "torchserve/grpc_messages.h"
#include "torchserve/grpc_method.h"
#include "torchserve/management_documents.h"

namespace headrace::torchserve {
namespace {

namespace management = org::pytorch::serve::grpc::management;

constexpr std::int64_t kListLimit = 100;

void Reply(net::GrpcCall& call, std::string text) {
  management::ManagementResponse response;
  response.set_msg(std::move(text));
  frontend::GrpcReply(call, frontend::EncodeGrpcMessage(response));
}

// The JSON of HTTP without the line's end, which gRPC does not have.
std::string WithoutLineEnd(std::string json) {
  if (json.ends_with('\n')) {
    json.pop_back();
  }
  return json;
}

// What the store calls on one of its threads: answers on the call's loop, where the next request
// finds what has changed.
store::StoreDone AnswerWhenDone(const GrpcApiCall& call) {
  return [call = call.call, &loops = call.services.loops](store::StoreReply reply) {
    loops.RefreshAll();
    call->loop().PostFunction([call, reply = std::move(reply)]() mutable {
      if (reply.error.ok()) {
        Reply(*call, std::move(reply.text));
      } else {
        call->Finish(GrpcStoreError(reply.error));
      }
    });
  };
}

// 0 is how proto3 says nothing.
std::optional<std::int64_t> Said(std::int32_t number) {
  return number == 0 ? std::nullopt : std::optional<std::int64_t>(number);
}

void DescribeModel(GrpcApiCall& call, const management::DescribeModelRequest& request) {
  store::ModelStore::Described described =
      call.api.store.Describe(request.model_name(), request.model_version());
  if (!described.error.ok()) {
    call.call->Finish(GrpcStoreError(described.error));
    return;
  }
  if (request.model_version() == "all" || !request.customized()) {
    Reply(*call.call, WithoutLineEnd(DescriptionJson(described.models)));
    return;
  }
  auto models = std::make_shared<std::vector<store::ModelFacts>>(std::move(described.models));
  DescribeByHandler(models->front(), call.services.pool,
                    [call = call.call, models](const CustomizedDescription& description) {
                      call->loop().PostFunction([call, models, description] {
                        if (description.error) {
                          call->Finish(GrpcManagementError(*description.error));
                        } else {
                          Reply(*call, WithoutLineEnd(DescriptionJson(*models, description.json)));
                        }
                      });
                    });
}

// A limit of 0 is one that was not said (TorchServe lists nothing then).
void ListModels(GrpcApiCall& call, const management::ListModelsRequest& request) {
  Reply(*call.call, WithoutLineEnd(ModelListJson(call.api.store.List(),
                                                 Said(request.limit()).value_or(kListLimit),
                                                 request.next_page_token())));
}

void RegisterModel(GrpcApiCall& call, const management::RegisterModelRequest& request) {
  if (request.url().empty()) {
    call.call->Finish(GrpcBadRequest("Parameter url is required."));
    return;
  }
  store::Registration registration;
  registration.url = request.url();
  registration.name = request.model_name();
  registration.handler = request.handler();
  registration.runtime = request.runtime();
  registration.synchronous = request.synchronous();
  registration.s3_sse_kms = request.s3_sse_kms();
  registration.settings.batch_size = Said(request.batch_size());
  registration.settings.batch_delay_ms = Said(request.max_batch_delay());
  registration.settings.worker_count_min = Said(request.initial_workers());
  registration.settings.worker_count_max = Said(request.initial_workers());
  registration.settings.response_timeout_s = Said(request.response_timeout());
  registration.settings.startup_timeout_s = Said(request.startup_timeout());
  call.api.store.Register(std::move(registration), AnswerWhenDone(call));
}

void ScaleWorker(GrpcApiCall& call, const management::ScaleWorkerRequest& request) {
  store::ModelStore::Scaling scaling;
  scaling.name = request.model_name();
  scaling.version = request.model_version();
  scaling.worker_count_min = Said(request.min_worker()).value_or(1);
  scaling.worker_count_max = Said(request.max_worker()).value_or(scaling.worker_count_min);
  scaling.synchronous = request.synchronous();
  call.api.store.Scale(std::move(scaling), AnswerWhenDone(call));
}

void SetDefault(GrpcApiCall& call, const management::SetDefaultRequest& request) {
  call.api.store.SetDefault(request.model_name(), request.model_version(), AnswerWhenDone(call));
}

void UnregisterModel(GrpcApiCall& call, const management::UnregisterModelRequest& request) {
  call.api.store.Unregister(request.model_name(), request.model_version(), AnswerWhenDone(call));
}

template <typename Request, void (*Handle)(GrpcApiCall&, const Request&)>
void Serve(GrpcApiCall& call) {
  Request request;
  if (Status status = frontend::ParseGrpcMessage(call.message, request); status.ok()) {
    Handle(call, request);
  } else {
    call.call->Finish(std::move(status));
  }
}

constexpr GrpcMethod kMethods[] = {
    {.path = "/org.pytorch.serve.grpc.management.ManagementAPIsService/DescribeModel",
     .surface = Surface::kManagement,
     .handler = Serve<management::DescribeModelRequest, DescribeModel>},
    {.path = "/org.pytorch.serve.grpc.management.ManagementAPIsService/ListModels",
     .surface = Surface::kManagement,
     .handler = Serve<management::ListModelsRequest, ListModels>},
    {.path = "/org.pytorch.serve.grpc.management.ManagementAPIsService/RegisterModel",
     .surface = Surface::kManagement,
     .changes_models = true,
     .handler = Serve<management::RegisterModelRequest, RegisterModel>},
    {.path = "/org.pytorch.serve.grpc.management.ManagementAPIsService/ScaleWorker",
     .surface = Surface::kManagement,
     .handler = Serve<management::ScaleWorkerRequest, ScaleWorker>},
    {.path = "/org.pytorch.serve.grpc.management.ManagementAPIsService/SetDefault",
     .surface = Surface::kManagement,
     .handler = Serve<management::SetDefaultRequest, SetDefault>},
    {.path = "/org.pytorch.serve.grpc.management.ManagementAPIsService/UnregisterModel",
     .surface = Surface::kManagement,
     .changes_models = true,
     .handler = Serve<management::UnregisterModelRequest, UnregisterModel>},
};

}  // namespace

std::span<const GrpcMethod> GrpcManagementMethods() { return kMethods; }

}  // namespace headrace::torchserve
