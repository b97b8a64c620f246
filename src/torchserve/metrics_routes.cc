// The metrics page (contracts, TorchServe 3.1).
#include <span>
#include <string>
#include <utility>

#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"
#include "torchserve/apis.h"
#include "torchserve/metrics.h"

namespace headrace::torchserve {
namespace {

void ServeMetrics(ApiCall& call) {
  if (!call.api.options.metrics_api) {
    ReplyError(*call.exchange, ResourceNotFound());
    return;
  }
  MetricNames names;
  for (auto& [name, value] : call.query) {
    if (name == "name[]") {
      names.push_back(std::move(value));
    }
  }
  net::HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body.push_back(Buffer::FromString(call.api.metrics.Page(names)));
  call.exchange->Respond(std::move(response));
}

// Any method, and whatever follows (contracts, TorchServe appendix B 7).
constexpr ApiRoute kRoutes[] = {
    {"/metrics/**", "", Surface::kMetrics, false, ServeMetrics},
};

}  // namespace

std::span<const ApiRoute> MetricsRoutes() { return kRoutes; }

}  // namespace headrace::torchserve
