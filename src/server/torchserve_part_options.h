// What the configuration is to each part of a TorchServe. The failures name the key.
#ifndef HEADRACE_SERVER_TORCHSERVE_PART_OPTIONS_H_
#define HEADRACE_SERVER_TORCHSERVE_PART_OPTIONS_H_

#include <memory>

#include "base/result.h"
#include "repository/archive_limits.h"
#include "server/server_config.h"
#include "store/model_store.h"
#include "store/url_fetcher.h"
#include "store/workflows.h"
#include "torchserve/access.h"
#include "torchserve/apis.h"
#include "torchserve/metrics.h"

namespace headrace::server {

// `options`: what is not the configuration's.
Result<store::ModelStoreOptions> StoreOptionsOf(const TorchServeConfig& config,
                                                store::ModelStoreOptions options);
store::WorkflowsOptions WorkflowsOptionsOf(const TorchServeConfig& config,
                                           const repository::ArchiveLimits& archives);
// With the keys of S3 that are in the environment.
Result<std::unique_ptr<store::UrlFetcher>> MakeFetcher(const TorchServeConfig& config);
torchserve::ApiOptions ApiOptionsOf(const TorchServeConfig& config, net::HttpHandler& v2_http,
                                    net::GrpcHandler& v2_grpc);
torchserve::AccessOptions AccessOptionsOf(const ServerConfig& server);
// Reads metrics_config.
Result<torchserve::MetricsOptions> MetricsOptionsOf(const TorchServeConfig& config);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_PART_OPTIONS_H_
