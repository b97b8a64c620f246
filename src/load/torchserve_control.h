// TorchServe's management API (contracts, TorchServe), for suites: models come, scale and go.
#ifndef HEADRACE_LOAD_TORCHSERVE_CONTROL_H_
#define HEADRACE_LOAD_TORCHSERVE_CONTROL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/target.h"

namespace headrace::load {

struct TorchServeRegistration {
  std::string url;   // of the archive, or its name in the model store
  std::string name;  // "" = as the archive says
  int batch_size = 1;
  std::int64_t batch_delay_ms = 100;
  int workers = 1;
  bool synchronous = true;     // answers when the workers are there
  int response_timeout_s = 0;  // 0 = the server's default
};

struct TorchServeWorker {
  std::string id, status;  // "READY", "UNLOADING", ...
  bool gpu = false;
  std::uint64_t memory_byte_size = 0;
};

struct TorchServeModel {
  std::string name, version, url, runtime;
  int workers_min = 0, workers_max = 0;
  int batch_size = 1;
  std::int64_t batch_delay_ms = 0;
  int response_timeout_s = 0;  // 0 = it does not say
  std::int64_t queue_capacity_left = 0, queue_depth = 0;
  std::vector<TorchServeWorker> workers;
};

struct TorchServeControlSpec {
  TargetSpec management;                // host, port (8081), TLS, headers (a token's)
  std::string inference_url;            // for Ping; "" = the same host at 8080
  std::string metrics_url;              // "" = the same host at 8082
  Nanos start_timeout = 300 * kSecond;  // of a synchronous registration or scaling
};

struct ControlSpec;
// Where the APIs of a server are whose side channel is there (server_control.h).
Result<TorchServeControlSpec> TorchServeSpecOf(const ControlSpec& spec);

// Blocking; thread-safe. Messages of failures name the URL and what the server said.
class TorchServeControl {
 public:
  static Result<std::unique_ptr<TorchServeControl>> Make(const TorchServeControlSpec& spec);
  virtual ~TorchServeControl() = default;

  // "Healthy", or what it says.
  virtual Result<std::string> Ping() = 0;
  // Of the API description (OpenAPI's info.version).
  virtual Result<std::string> Version() = 0;
  virtual Result<std::vector<std::string>> ModelNames() = 0;
  // ALREADY_EXISTS where the name is taken.
  virtual Status Register(const TorchServeRegistration& registration) = 0;
  virtual Status Scale(const std::string& name, const std::string& version, int workers_min,
                       int workers_max, bool synchronous) = 0;
  // All versions for "all", the default one for "".
  virtual Result<std::vector<TorchServeModel>> Describe(const std::string& name,
                                                        const std::string& version) = 0;
  // NOT_FOUND where there is none.
  virtual Status Unregister(const std::string& name, const std::string& version) = 0;
  virtual Result<std::string> Metrics() = 0;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TORCHSERVE_CONTROL_H_
