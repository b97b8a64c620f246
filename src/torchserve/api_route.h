// Routes of TorchServe's HTTP APIs, and what their handlers get (docs/torchserve.md).
#ifndef HEADRACE_TORCHSERVE_API_ROUTE_H_
#define HEADRACE_TORCHSERVE_API_ROUTE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/call.h"
#include "net/http.h"

namespace headrace::store {
class ModelStore;
class Workflows;
}  // namespace headrace::store

namespace headrace::torchserve {

class Access;
class Metrics;
struct ApiOptions;

// Which listener a route is on; a listener may be several of them (contracts, TorchServe 1.1).
enum class Surface : std::uint8_t { kInference = 1, kManagement = 2, kMetrics = 4 };

// What all handlers share beside frontend::Services. Every member is thread-safe and outlives the
// calls.
struct ApiServices {
  const ApiOptions& options;
  store::ModelStore& store;
  store::Workflows& workflows;
  const Access& access;
  Metrics& metrics;
};

// Lives for one call of a handler, on the exchange's loop. A handler that answers later keeps the
// exchange.
struct ApiCall {
  ApiServices& api;
  frontend::Services& services;
  frontend::LoopContext& loop;
  net::HttpExchangeRef exchange;
  // The path, percent-decoded first and cut at '/' afterwards, without empty segments at its end.
  std::vector<std::string> path;
  // The query's fields, decoded, in their order; a field without '=' has an empty value.
  std::vector<std::pair<std::string, std::string>> query;

  std::string_view body() const { return exchange->body().view(); }
};

using ApiHandler = void (*)(ApiCall& call);

// A pattern is a path whose segments are literals or "*", which stands for any one segment; "**" at
// its end stands for any number of them. A literal may begin with "*" ("*:predict"): then the
// segment ends with what follows. Among the routes of a path the first that matches it is taken; if
// none of those allows the method, the answer is 405.
struct ApiRoute {
  std::string_view pattern;
  std::string_view methods;  // "GET,POST"; empty: any
  Surface surface = Surface::kInference;
  bool takes_prediction = false;  // the body may be as large as max_request_size; else small JSON
  ApiHandler handler = nullptr;
};

// One table for each endpoint family, in the file of its name.
std::span<const ApiRoute> DescriptionRoutes();    // description_routes.cc: before tokens
std::span<const ApiRoute> InferenceRoutes();      // inference_routes.cc
std::span<const ApiRoute> ManagementRoutes();     // management_routes.cc
std::span<const ApiRoute> TokenRoutes();          // token_routes.cc
std::span<const ApiRoute> WorkflowRoutes();       // workflow_routes.cc: both listeners'
std::span<const ApiRoute> MetricsRoutes();        // metrics_routes.cc
std::span<const ApiRoute> OpenInferenceRoutes();  // open_inference_routes.cc: if it is enabled

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_API_ROUTE_H_
