// The settings of a session, from the model configuration and the backend's command line.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_OPTIONS_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_OPTIONS_H_

#include <onnxruntime_cxx_api.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/backend_config.h"
#include "common/error.h"
#include "common/model_config.h"
#include "onnxruntime/accelerators.h"

namespace headrace::backend {

// Where a session runs.
struct SessionDevice {
  bool on_gpu = false;
  std::int64_t gpu = 0;  // with on_gpu
  // The cores that its threads are bound to, by being started from a thread that is; empty: none in
  // particular. One core needs no threads besides the instances' own.
  std::vector<int> cpus = {};

  auto operator<=>(const SessionDevice&) const = default;
};

struct ThreadCounts {
  std::int64_t intra_op = 0;
  std::int64_t inter_op = 0;
};

// Names and meanings are those of Triton's backend (contracts, Triton 3.3); every parameter that
// begins with "session.", "optimization." or "ep." goes to the runtime as a session configuration
// entry, which covers "session.intra_op.allow_spinning". Other parameters that are not known are
// warned about by name.
struct SessionSettings {
  GraphOptimizationLevel graph_level = ORT_ENABLE_ALL;
  // 0: the runtime's choice, one for each core. Where nothing is asked for, as many as leave a core
  // for each other CPU instance of the model: they share the session, and its threads.
  ThreadCounts threads;
  bool default_threads = true;  // nobody asked for a number of intra-op threads
  // Set by the backend's command line: all sessions share one pool of so many, and have none of
  // their own.
  std::optional<ThreadCounts> global_pool;
  bool parallel_execution = false;
  bool memory_arena = true;
  bool memory_pattern = true;
  std::string arena_shrinkage;  // "cpu:0": give the arena's unused memory back after each run
  std::map<std::string, std::string> entries;
  std::vector<std::string> op_libraries;  // model_operations.op_library_filename
  Accelerators accelerators;

  // INVALID_ARG names the parameter or setting that does not read.
  // For a session on so many cores, on which instances have so many threads each: their number, if
  // it is the default, follows from that.
  SessionSettings OnCores(std::int64_t core_count, std::int64_t thread_count) const;

  static Error Read(const ModelConfig& model, const BackendConfig& backend,
                    SessionSettings* settings);
};

// Without providers. May throw Ort::Exception.
Ort::SessionOptions MakeSessionOptions(const SessionSettings& settings);
// The process's one environment; its log is the server's. With `global_pool` in the first
// call, all sessions share one pool.
const Ort::Env& SharedEnvironment(const SessionSettings& settings);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_OPTIONS_H_
