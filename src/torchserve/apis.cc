#include "torchserve/apis.h"

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "torchserve/access.h"
#include "torchserve/api_route.h"
#include "torchserve/grpc_api_service.h"
#include "torchserve/grpc_method.h"
#include "torchserve/surface_handler.h"

namespace headrace::torchserve {
namespace {

constexpr Surfaces kAllSurfaces = static_cast<Surfaces>(Surface::kInference) |
                                  static_cast<Surfaces>(Surface::kManagement) |
                                  static_cast<Surfaces>(Surface::kMetrics);

// In the order in which they are asked.
std::vector<std::span<const ApiRoute>> Tables(const ApiOptions& options) {
  std::vector<std::span<const ApiRoute>> tables = {InferenceRoutes(), WorkflowRoutes(),
                                                   ManagementRoutes(), MetricsRoutes()};
  if (options.open_inference_protocol) {
    tables.push_back(OpenInferenceRoutes());
  }
  return tables;
}

std::vector<std::span<const GrpcMethod>> GrpcTables(const ApiOptions& options) {
  std::vector<std::span<const GrpcMethod>> tables = {GrpcInferenceMethods()};
  if (options.open_inference_protocol) {
    tables.push_back(GrpcOpenInferenceMethods());
  }
  return tables;
}

}  // namespace

class Apis::Impl {
 public:
  Impl(ApiOptions options, frontend::FrontEnd& front_end, store::ModelStore& store,
       store::Workflows& workflows, const Access& access, Metrics& metrics)
      : options_(std::move(options)),
        api_{options_, store, workflows, access, metrics},
        grpc_inference_(GrpcTables(options_), api_, front_end.services(),
                        options_.v2_grpc != nullptr ? options_.v2_grpc : &front_end.grpc_handler()),
        grpc_management_({GrpcManagementMethods()}, api_, front_end.services(), nullptr) {
    const auto tables = Tables(options_);
    net::HttpHandler& v2 = options_.v2_http != nullptr ? *options_.v2_http : front_end.v2_handler();
    for (Surfaces surfaces = 1; surfaces <= kAllSurfaces; ++surfaces) {
      handlers_[surfaces] =
          std::make_unique<SurfaceHandler>(surfaces, tables, api_, front_end.services(), v2);
    }
  }

  net::HttpHandler& Http(Surfaces surfaces) { return *handlers_[surfaces]; }
  net::GrpcHandler& grpc_inference() { return grpc_inference_; }
  net::GrpcHandler& grpc_management() { return grpc_management_; }

 private:
  const ApiOptions options_;
  ApiServices api_;
  GrpcApiService grpc_inference_, grpc_management_;
  std::array<std::unique_ptr<SurfaceHandler>, kAllSurfaces + 1> handlers_;  // by their surfaces
};

Apis::Apis(ApiOptions options, frontend::FrontEnd& front_end, store::ModelStore& store,
           store::Workflows& workflows, const Access& access, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), front_end, store, workflows, access,
                                   metrics)) {}

Apis::~Apis() = default;

net::HttpHandler& Apis::Http(bool inference, bool management, bool metrics) {
  const auto bit = [](bool is, Surface surface) {
    return is ? static_cast<Surfaces>(surface) : Surfaces{0};
  };
  return impl_->Http(static_cast<Surfaces>(bit(inference, Surface::kInference) |
                                           bit(management, Surface::kManagement) |
                                           bit(metrics, Surface::kMetrics)));
}

net::GrpcHandler& Apis::grpc_inference() { return impl_->grpc_inference(); }
net::GrpcHandler& Apis::grpc_management() { return impl_->grpc_management(); }

}  // namespace headrace::torchserve
