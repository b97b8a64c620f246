// GET /token on the management listener: a key is made anew (contracts, TorchServe 2.8).
#include "frontend/replies.h"
#include "frontend/torchserve_error.h"
#include "torchserve/access.h"
#include "torchserve/api_replies.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {
namespace {

// The new key is told in the file alone: whoever has stolen an API key over the wire gains nothing
// by it. Writing some hundred bytes into the page cache is no waiting that a loop would notice.
void Renew(ApiCall& call) {
  std::string_view type;
  for (const auto& [name, value] : call.query) {
    if (name == "type") {
      type = value;
    }
  }
  const Status renewed = call.api.access.Renew(type, call.exchange->head().Header("authorization"),
                                               call.exchange->peer());
  if (renewed.ok()) {
    frontend::ReplyJson(*call.exchange, "{}\n");
    return;
  }
  if (renewed.code() == StatusCode::kResourceExhausted) {
    ReplyError(*call.exchange, TooManyFailures());
    return;
  }
  const bool refused = renewed.code() == StatusCode::kInvalidArgument;
  frontend::Reply(*call.exchange,
                  frontend::RefusalOf(frontend::TorchServeError{
                      .code = refused ? 400 : 500,
                      .type = refused ? "InvalidKeyException" : "InternalServerException",
                      .message = renewed.message()}));
}

}  // namespace

std::span<const ApiRoute> TokenRoutes() {
  static constexpr ApiRoute kRoutes[] = {
      {.pattern = "/token", .methods = "GET", .surface = Surface::kManagement, .handler = Renew}};
  return kRoutes;
}

}  // namespace headrace::torchserve
