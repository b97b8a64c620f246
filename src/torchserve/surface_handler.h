// The HTTP handler of one listener: what is the same for all families of routes.
#ifndef HEADRACE_TORCHSERVE_SURFACE_HANDLER_H_
#define HEADRACE_TORCHSERVE_SURFACE_HANDLER_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontend/call.h"
#include "frontend/torchserve_error.h"
#include "net/http.h"
#include "torchserve/api_route.h"
#include "torchserve/api_router.h"

namespace headrace::torchserve {

// A request meets, in this order (contracts, TorchServe 1.1): preflights of browsers, descriptions
// and the route that makes tokens, which need none; the token of the surface that its route belongs
// to (that of the listener's first surface, where there is no such route); on routes of the
// management API, whether a browser's page of another server sends it; its method; its route; the
// v2 protocol's routes, on listeners of the inference API; 404. On a listener that is several
// surfaces the routes of inference come first, but take only what is theirs.
//
// A body that is too large is refused by its head, with 413 and no text, as TorchServe does.
// Thread-safe.
class SurfaceHandler final : public net::HttpHandler {
 public:
  // Everything is borrowed. `tables`: in the order in which they are asked.
  SurfaceHandler(Surfaces surfaces, std::span<const std::span<const ApiRoute>> tables,
                 ApiServices& api, frontend::Services& services, net::HttpHandler& v2);

  net::BodyPlan OnHead(const net::HttpRequestHead& head) override;
  void OnRequest(net::HttpExchangeRef exchange) override;

 private:
  // Where a request goes: to `route`, else to the v2 handler, else to nobody: then `error` says
  // why.
  struct Destination {
    const ApiRoute* route = nullptr;
    bool v2 = false;
    std::optional<frontend::TorchServeError> error = {};
    std::string headers = {};  // complete lines for the error
  };
  Destination Find(const net::HttpRequestHead& head, std::span<const std::string> path,
                   const engine::RegistrySnapshot& models) const;
  Surface SurfaceOf(const ApiRoute* route) const;
  net::BodyPlan PlanBody(const net::HttpRequestHead& head);
  net::BodyPlan PlanLargeBody(const net::HttpRequestHead& head);

  const Surfaces surfaces_;
  ApiServices& api_;
  frontend::Services& services_;
  net::HttpHandler& v2_;
  ApiRouter public_routes_, routes_;
  std::string cors_headers_;  // complete lines; empty: there are no other origins
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_SURFACE_HANDLER_H_
