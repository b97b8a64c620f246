// What runs models: implemented over the Triton ABI by src/plugin, and by fakes in tests.
#ifndef HEADRACE_ENGINE_BACKEND_H_
#define HEADRACE_ENGINE_BACKEND_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/instance_facts.h"
#include "engine/instance_health.h"
#include "engine/request.h"

namespace headrace::engine {

class FailedRequests;

enum class InstanceKind : std::uint8_t { kAuto, kCpu, kGpu, kModel };

// What an execution of an instance takes away from others while it runs (contracts, Triton 4.5).
struct ResourceNeed {
  std::string name;
  bool global = false;  // counted once for the server; otherwise once for each device
  std::uint32_t count = 0;

  bool operator==(const ResourceNeed&) const = default;
};

struct InstancePlacement {
  std::string name;  // "<group>_<index>"
  InstanceKind kind = InstanceKind::kCpu;
  int device_id = 0;
  std::string host_policy = "cpu";
  std::string host_policy_json = "{}";    // the policy's settings, as the ABI hands them out
  bool passive = false;                   // created but never given requests
  std::vector<ResourceNeed> resources{};  // of the rate limiter; nothing is needed while it is off
  std::uint32_t rate_priority = 1;        // 1 gets twice the share of 2

  bool operator==(const InstancePlacement&) const = default;
};

// Requests that are executed together: one batch of at most batch_size_max.
struct Batch {
  std::vector<std::unique_ptr<InferRequest>> requests;
  Nanos formed = 0;
  // Set: until Execute returns, an instance hands a request whose execution failed, and that
  // nothing was sent for, to it in place of ending the request. Null: the request ends with the
  // error.
  FailedRequests* failed = nullptr;
};

// One executor. Execute is called from one thread at a time; construction and destruction may be in
// other threads.
class Instance {
 public:
  virtual ~Instance() = default;
  // Runs the batch; every request must end (InferRequest::Finish) sooner or later, also after the
  // return for backends that answer later. When it returns the instance is free. Does not throw.
  virtual void Execute(Batch batch) = 0;
  // `listener` is to be told of every change of the instance's health from now on, and at once if
  // it is not ready; not after the instance's destruction. Called once, before the first Execute.
  // Instances that can always execute need not do anything. One that is not ready gets no batches,
  // but those that it has been given when it says so, and those of sequences that are bound to it.
  virtual void WatchHealth(HealthListener /*listener*/) {}
  // Its process, if it has one of its own. Any thread; does not block.
  virtual InstanceProcess Process() const { return {}; }
};

struct LoadSpec {
  std::string model_name;
  std::int64_t version = 1;
  std::string backend;          // "identity" -> libtriton_identity.so
  std::string runtime;          // overrides the library's file name; empty = default
  std::string model_directory;  // <repository>/<model>
  std::string config_json;      // the model configuration as JSON, fields named as in the .proto
  bool auto_complete = false;   // the backend may complete the configuration
  // Called by the backend while it loads, with the configuration that it proposes: merges, checks
  // and returns the one in force. The failure's text reaches the log and the load's status. Null
  // when auto_complete is false.
  std::function<Result<std::string>(const std::string& proposed_json)> complete_config;
};

// A loaded version, before and while it has instances. Instances must be destroyed before it.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;
  // The configuration in force after normalisation, before the first CreateInstance.
  virtual void SetFinalConfig(std::string config_json) = 0;
  // Blocks while the instance initialises. Different instances may be created in parallel only if
  // ParallelInstanceLoading().
  virtual Result<std::unique_ptr<Instance>> CreateInstance(const InstancePlacement& placement) = 0;
  virtual bool ParallelInstanceLoading() const { return false; }
  // Records the operators that its instances run, from now on (abi/headrace_extensions.h says what
  // the options and the result are). Any thread. UNIMPLEMENTED where the backend cannot.
  virtual Status StartProfile(const std::string& /*options_json*/) {
    return Unimplemented("the backend does not report operators");
  }
  // Ends it; blocks while batches that are under way end.
  virtual Result<std::string> StopProfile() {
    return Unimplemented("the backend does not report operators");
  }
};

// Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  // Blocks while the model loads (load pool). The failure says model, version and the backend's own
  // text.
  virtual Result<std::unique_ptr<LoadedModel>> Load(LoadSpec spec) = 0;
  // Where instances go whose kind a configuration leaves open (KIND_AUTO); kAuto: on a GPU, if
  // there is one.
  virtual InstanceKind PreferredKind() const { return InstanceKind::kAuto; }
};

// Finds the backend that a model names. Thread-safe.
class BackendProvider {
 public:
  virtual ~BackendProvider() = default;
  // The loaded backend for spec.backend / spec.runtime / spec.model_directory / spec.version,
  // loading its library on first use (blocking). INVALID_ARGUMENT with the places that were
  // searched when there is none (contracts, Triton 8.7).
  virtual Result<std::shared_ptr<Backend>> Find(const LoadSpec& spec) = 0;
  // For the start-up table: name, path of the library, configuration as JSON.
  struct Loaded {
    std::string name, path, config_json;
  };
  virtual std::vector<Loaded> LoadedBackends() const = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_BACKEND_H_
