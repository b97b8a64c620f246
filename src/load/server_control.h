// What bench, tune and top ask of a server beside inference. Blocking; no hot path.
#ifndef HEADRACE_LOAD_SERVER_CONTROL_H_
#define HEADRACE_LOAD_SERVER_CONTROL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/target.h"
#include "tensor/dtype.h"

namespace headrace::load {

struct TensorFacts {
  std::string name;
  DataType data_type{};
  std::vector<std::int64_t> shape;  // as the metadata has it: -1 = open, the batch dimension first
  bool optional = false;            // an input that a request may leave out (by the configuration)
};

struct ModelFacts {
  std::string name;
  std::vector<std::string> versions;
  std::string platform;
  std::vector<TensorFacts> inputs, outputs;
  std::int64_t batch_size_max = 0;  // 0 = the model does not batch
  bool decoupled = false;
  bool sequences = false;
  std::vector<std::string> composing_models;  // of an ensemble
  std::string config_json;                    // as the server gave it; "" = it has none
};

// Cumulative figures of one model version, as v2 statistics have them. Nanoseconds.
struct ModelStatistics {
  std::string version;
  std::uint64_t inference_count = 0, execution_count = 0;
  std::uint64_t success_count = 0, success_ns = 0, fail_count = 0, fail_ns = 0;
  std::uint64_t queue_count = 0, queue_ns = 0;
  std::uint64_t compute_input_count = 0, compute_input_ns = 0;
  std::uint64_t compute_infer_count = 0, compute_infer_ns = 0;
  std::uint64_t compute_output_count = 0, compute_output_ns = 0;
  std::uint64_t cache_hit_count = 0, cache_hit_ns = 0, cache_miss_count = 0, cache_miss_ns = 0;
  std::map<std::int64_t, std::uint64_t> batches;  // executed batches by size
};

struct ServerFacts {
  std::string name, version;
  std::vector<std::string> extensions;
};

struct ModelState {
  std::string name, version, state, reason;  // the index's words
};

// One server's side channel. Messages of failures name the URL. Thread-safe.
class ServerControl {
 public:
  virtual ~ServerControl() = default;

  virtual Result<ServerFacts> Server() = 0;
  // UNAVAILABLE where no server answers; a model that is not known is not ready.
  virtual Result<bool> ModelReady(const std::string& model, const std::string& version) = 0;
  virtual Result<ModelFacts> Model(const std::string& model, const std::string& version) = 0;
  // One entry for each version that is loaded; "" = all models, keyed by name.
  virtual Result<std::map<std::string, std::vector<ModelStatistics>>> Statistics(
      const std::string& model) = 0;
  virtual Result<std::vector<ModelState>> Index() = 0;
  // Loads, or changes a running model to `config_json` ("" = what the repository has). Returns when
  // the change serves.
  virtual Status Load(const std::string& model, const std::string& config_json) = 0;
  virtual Status Unload(const std::string& model) = 0;
  // The text of the metrics page. FAILED_PRECONDITION where there is none.
  virtual Result<std::string> Metrics() = 0;
};

// Where a server's side channel is. The protocol of `target` says how the server is asked:
//   kV2Http            v2 over HTTP;
//   kV2Grpc            v2 over HTTP at `http_url`, "" = by gRPC calls;
//   kTorchServe        the management API at `management_url`, "" = the same host at 8081. Load is
//                      UNIMPLEMENTED (see torchserve_control.h), the index is the list of models;
//   kV1                readiness, and the list of models;
//   kInvocations, raw  readiness of the first (GET /ping); else UNIMPLEMENTED.
//   kInProcess         the C interface of `target.in_process_server`.
// What a protocol does not have is UNIMPLEMENTED.
struct ControlSpec {
  TargetSpec target;
  std::string http_url;
  std::string management_url;
  std::string management_token;  // in place of the target's Authorization; "" = that
  // "" = the same host at 8002 (TorchServe: 8082), path /metrics.
  std::string metrics_url;
};
Result<std::unique_ptr<ServerControl>> MakeServerControl(const ControlSpec& spec);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_SERVER_CONTROL_H_
