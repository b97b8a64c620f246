#include "torchserve/surface_handler.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "engine/model.h"
#include "frontend/prediction_answer.h"
#include "frontend/prediction_request.h"
#include "frontend/replies.h"
#include "frontend/v2_routes.h"
#include "torchserve/access.h"
#include "torchserve/api_replies.h"
#include "torchserve/apis.h"
#include "torchserve/metrics.h"

namespace headrace::torchserve {
namespace {

// Bodies up to this size are read whatever becomes of the request, so that the connection can go on
// behind the answer.
constexpr std::uint64_t kSmallBodyByteSizeMax = 64 * 1024;
constexpr std::uint64_t kControlBodyByteSizeMax = 1024 * 1024;

void AppendHeader(std::string_view name, std::string_view value, std::string& lines) {
  if (!value.empty()) {
    lines.append(name).append(": ").append(value).append("\r\n");
  }
}

std::string CorsHeaders(const CorsOptions& cors) {
  std::string lines;
  if (!cors.allowed_origin.empty()) {
    AppendHeader("Access-Control-Allow-Origin", cors.allowed_origin, lines);
    AppendHeader("Access-Control-Allow-Methods", cors.allowed_methods, lines);
    AppendHeader("Access-Control-Allow-Headers", cors.allowed_headers, lines);
  }
  return lines;
}

// A browser that asks what it may send. It never shows a token.
bool IsPreflight(const net::HttpRequestHead& head) {
  return head.method == net::HttpMethod::kOptions && head.Header("Origin") &&
         head.Header("Access-Control-Request-Method");
}

bool IsV2(std::span<const std::string> path) { return !path.empty() && path.front() == "v2"; }

// Whether requests for this model are the v2 handler's.
bool IsNoHandler(std::string_view model, const engine::RegistrySnapshot& models) {
  const auto found = models.Lookup(model, std::nullopt);
  return found.ok() && (*found)->options().platform != "handler";
}

net::BodyPlan Refuse(frontend::Refusal refusal, const std::string& more_headers) {
  net::BodyPlan plan;
  plan.refuse_status = refusal.status;
  plan.refuse_json = std::move(refusal.json);
  plan.refuse_headers = std::move(refusal.headers) + more_headers;
  return plan;
}

}  // namespace

SurfaceHandler::SurfaceHandler(Surfaces surfaces, std::span<const std::span<const ApiRoute>> tables,
                               ApiServices& api, frontend::Services& services, net::HttpHandler& v2)
    : surfaces_(surfaces),
      api_(api),
      services_(services),
      v2_(v2),
      cors_headers_(CorsHeaders(api.access.cors())) {
  public_routes_.Add(DescriptionRoutes(), surfaces);
  public_routes_.Add(TokenRoutes(), surfaces);
  for (const std::span<const ApiRoute> table : tables) {
    routes_.Add(table, surfaces);
  }
}

Surface SurfaceHandler::SurfaceOf(const ApiRoute* route) const {
  if (route != nullptr) {
    return route->surface;
  }
  for (const Surface surface : {Surface::kInference, Surface::kManagement}) {
    if (Contains(surfaces_, surface)) {
      return surface;
    }
  }
  return Surface::kMetrics;
}

SurfaceHandler::Destination SurfaceHandler::Find(const net::HttpRequestHead& head,
                                                 std::span<const std::string> path,
                                                 const engine::RegistrySnapshot& models) const {
  if (const auto found = public_routes_.Find(path, head.method); found.route != nullptr) {
    if (found.method_allowed) {
      return {.route = found.route};
    }
    return {.error = MethodNotAllowed()};
  }
  const ApiRouter::Found found = routes_.Find(path, head.method);
  // Of two keys nobody could say which one counts.
  const auto authorization = head.HeaderCount("Authorization") == 1
                                 ? head.Header("Authorization")
                                 : std::optional<std::string_view>();
  const Surface surface = SurfaceOf(found.route);
  switch (api_.access.Check(surface, surfaces_, authorization, head.peer)) {
    case AccessVerdict::kOpen:
      break;
    case AccessVerdict::kWrongToken:
      return {.error = frontend::TorchServeError{.code = 400,
                                                 .type = "InvalidKeyException",
                                                 .message = std::string(Access::token_refusal())}};
    case AccessVerdict::kTooManyFailures:
      return {.error = TooManyFailures()};
  }
  if (surface == Surface::kManagement) {
    if (const Status browser = api_.access.CheckBrowser(head); !browser.ok()) {
      return {.error = frontend::TorchServeError{
                  .code = 403, .type = "ForbiddenException", .message = browser.message()}};
    }
  }
  const bool offers_v2 = Contains(surfaces_, Surface::kInference);
  if (found.route != nullptr && !(found.route->handlers_only && IsNoHandler(path[2], models))) {
    if (found.method_allowed) {
      return {.route = found.route};
    }
    std::string allow;
    AppendHeader("Allow", found.route->methods, allow);
    return {.error = MethodNotAllowed(), .headers = std::move(allow)};
  }
  if (offers_v2 && IsV2(path) && frontend::V2Router().Match(head.path)) {
    return {.v2 = true};
  }
  return {.error = ResourceNotFound()};
}

net::BodyPlan SurfaceHandler::OnHead(const net::HttpRequestHead& head) {
  net::BodyPlan plan = PlanBody(head);
  if (plan.refuse_status != 0) {
    api_.metrics.CountAnswer(plan.refuse_status);
  }
  return plan;
}

net::BodyPlan SurfaceHandler::PlanBody(const net::HttpRequestHead& head) {
  const std::uint64_t byte_size = head.content_length.value_or(0);
  const std::uint64_t small_max =
      std::min(kSmallBodyByteSizeMax, api_.options.request_byte_size_max);
  if (head.chunked || byte_size > small_max) {
    return PlanLargeBody(head);
  }
  if (byte_size > 0 && Contains(surfaces_, Surface::kInference) && head.path.starts_with("/v2/")) {
    return v2_.OnHead(head);  // places tensors
  }
  net::BodyPlan plan;
  plan.byte_size_max = small_max;
  return plan;
}

net::BodyPlan SurfaceHandler::PlanLargeBody(const net::HttpRequestHead& head) {
  const std::vector<std::string> path = SplitPath(head.path);
  const auto models = services_.registry.Load();
  Destination to = Find(head, path, *models);
  if (to.error) {
    return Refuse(frontend::RefusalOf(*to.error), to.headers + cors_headers_);
  }
  if (to.v2) {
    return v2_.OnHead(head);
  }
  net::BodyPlan plan;
  plan.byte_size_max = to.route->takes_prediction
                           ? api_.options.request_byte_size_max
                           : std::min(kControlBodyByteSizeMax, api_.options.request_byte_size_max);
  if (head.content_length.value_or(0) > plan.byte_size_max) {
    plan.refuse_status = 413;
  }
  return plan;
}

void SurfaceHandler::OnRequest(net::HttpExchangeRef exchange) {
  const net::HttpRequestHead& head = exchange->head();
  exchange->AddObserver(api_.metrics);
  if (!cors_headers_.empty()) {
    exchange->AddHeaders(cors_headers_);
    if (IsPreflight(head)) {
      frontend::ReplyStatusOnly(*exchange, 200, {});
      return;
    }
  }
  frontend::LoopContext& loop = services_.loops.Of(exchange->loop());
  std::vector<std::string> path = SplitPath(head.path);
  Destination to = Find(head, path, loop.models.Get());
  if (to.v2) {
    v2_.OnRequest(std::move(exchange));
    return;
  }
  if (to.route == nullptr || !to.route->takes_prediction) {
    exchange->AddHeaders(frontend::PredictionHeaders(frontend::RequestIdOf(head)));
  }
  if (to.error) {
    exchange->AddHeaders(to.headers);
    ReplyError(*exchange, *to.error);
    return;
  }
  ApiCall call{
      api_,     services_, loop, std::move(exchange), std::move(path), SplitQuery(head.query),
      surfaces_};
  to.route->handler(call);
}

}  // namespace headrace::torchserve
