// TorchServe's APIs over a model store (docs/torchserve.md).
#ifndef HEADRACE_TORCHSERVE_APIS_H_
#define HEADRACE_TORCHSERVE_APIS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "frontend/front_end.h"
#include "net/grpc.h"
#include "net/http.h"
#include "store/model_store.h"

namespace headrace::store {
class Workflows;
}

namespace headrace::torchserve {

class Access;
class Metrics;

struct ApiOptions {
  std::uint64_t request_byte_size_max = 6'553'500;  // max_request_size
  bool open_inference_protocol = false;             // ts_open_inference_protocol
  bool metrics_api = true;                          // enable_metrics_api
  std::string version = "0.12.0";                   // that descriptions and metadata tell
  // Who takes what is the v2 protocol's, with the gates that guard it; null: the front end itself.
  // Borrowed.
  net::HttpHandler* v2_http = nullptr;
  net::GrpcHandler* v2_grpc = nullptr;
};

// The handlers of all listeners. Thread-safe.
class Apis {
 public:
  // All borrowed; they outlive the listeners. `front_end` does what is common to all protocols.
  Apis(ApiOptions options, frontend::FrontEnd& front_end, store::ModelStore& store,
       store::Workflows& workflows, const Access& access, Metrics& metrics);
  ~Apis();

  // The HTTP handler of a listener that is one or several of the three; each combination is one
  // object, and lives as long as this. What no route of theirs takes goes to the front end's v2
  // handler if inference is one of them, else it is 404. What comes first is in surface_handler.h.
  net::HttpHandler& Http(bool inference, bool management, bool metrics);
  // org.pytorch.serve.grpc.inference and, where it is enabled, .openinference; what is none of them
  // goes to the front end's gRPC handler.
  net::GrpcHandler& grpc_inference();
  // org.pytorch.serve.grpc.management.
  net::GrpcHandler& grpc_management();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_APIS_H_
