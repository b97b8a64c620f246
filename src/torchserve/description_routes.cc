// Descriptions of the APIs, which everybody may read (contracts, TorchServe 1.2 and 1.11).
#include <span>

#include "frontend/predictions.h"
#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"
#include "torchserve/apis.h"
#include "torchserve/model_description.h"
#include "torchserve/openapi.h"

namespace headrace::torchserve {
namespace {

void ServeDescription(ApiCall& call) {
  const ApiOptions& options = call.api.options;
  ReplyJson(*call.exchange, 200,
            DescribeListener(call.listener, options.metrics_api, options.version));
}

constexpr ApiRoute kRoutes[] = {
    {"/", "OPTIONS", Surface::kInference, false, ServeDescription},
    {"/", "OPTIONS", Surface::kManagement, false, ServeDescription},
    {"/api-description", "", Surface::kInference, false, ServeDescription},
    {"/api-description", "", Surface::kManagement, false, ServeDescription},
};

}  // namespace

void ReplyModelDescription(ApiCall& call, std::string_view model, std::string_view version) {
  engine::ModelHandle found;
  if (const auto error = frontend::FindHandler(model, version, call.loop.models.Get(), found)) {
    RefuseRequest(call, *error);
    return;
  }
  AddRequestHeaders(call);
  ReplyJson(*call.exchange, 200, DescribeModel(model));
}

std::span<const ApiRoute> DescriptionRoutes() { return kRoutes; }

}  // namespace headrace::torchserve
