// The settings of a session, from the model configuration and the backend's command line.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_OPTIONS_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_OPTIONS_H_

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <map>
#include <string>

#include "common/backend_config.h"
#include "common/error.h"
#include "common/model_config.h"

namespace headrace::backend {

// Names and meanings are those of Triton's backend (contracts, Triton 3.3); every parameter that
// begins with "session." or "optimization." goes to the runtime as a session configuration entry,
// which covers "session.intra_op.allow_spinning".
struct SessionSettings {
  GraphOptimizationLevel graph_level = ORT_ENABLE_ALL;
  std::int64_t intra_op_thread_count = 0;  // 0: the runtime's choice
  std::int64_t inter_op_thread_count = 0;
  bool parallel_execution = false;
  bool memory_arena = true;
  bool memory_pattern = true;
  bool global_thread_pool = false;
  std::string arena_shrinkage;  // "cpu:0": give the arena's unused memory back after each run
  std::map<std::string, std::string> entries;

  // INVALID_ARG names the parameter or setting that does not read.
  static Error Read(const ModelConfig& model, const BackendConfig& backend,
                    SessionSettings* settings);
};

// May throw Ort::Exception.
Ort::SessionOptions MakeSessionOptions(const SessionSettings& settings);
// The process's one environment; its log is the server's. With `global_thread_pool` in the first
// call, all sessions share one pool.
const Ort::Env& SharedEnvironment(const SessionSettings& settings);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_OPTIONS_H_
