// What a backend holds between executions: itself, its models, their instances.
#ifndef HEADRACE_PLUGIN_MODEL_HANDLE_H_
#define HEADRACE_PLUGIN_MODEL_HANDLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "device/device_memory.h"
#include "engine/backend.h"
#include "engine/statistics.h"
#include "plugin/server_handle.h"
#include "plugin/values.h"

// Gives memory of the host (from the heap, which keeps the books) and, where there is a GPU,
// page-locked memory and the GPU's own.
struct TRITONBACKEND_MemoryManager {
  std::shared_ptr<headrace::device::DeviceMemory> devices;  // null: no GPU
};

struct TRITONBACKEND_BackendAttribute {
  struct Group {
    TRITONSERVER_InstanceGroupKind kind;
    std::uint64_t count;
    std::vector<std::uint64_t> device_ids;
  };
  std::vector<Group> preferred_groups;
  bool parallel_instance_loading = false;
};

// Made once per library. Written while the backend initialises, read afterwards, except `state`,
// which is the backend's.
struct TRITONBACKEND_Backend {
  std::string name;
  std::string directory;  // of its library: where it keeps what comes with it
  TRITONSERVER_Message config;
  TRITONBACKEND_ExecutionPolicy execution_policy = TRITONBACKEND_EXECUTION_BLOCKING;
  TRITONBACKEND_BackendAttribute attributes;
  TRITONBACKEND_MemoryManager memory_manager;
  TRITONSERVER_Server* server = nullptr;  // the one it runs in; null: none (tests)
  void* state = nullptr;
};

// One loaded version. `config_json` changes only while the model initialises and before its
// instances do.
struct TRITONBACKEND_Model {
  TRITONBACKEND_Backend* backend = nullptr;
  std::string name;
  std::int64_t version = 1;
  std::string directory;
  std::string config_json;
  bool auto_complete = false;
  bool initializing = false;
  std::function<headrace::Result<std::string>(const std::string&)> complete_config;
  // Why a proposed configuration was refused; the load fails with it even if the backend ignores
  // it.
  headrace::Status config_refusal;
  void* state = nullptr;
};

struct TRITONBACKEND_ModelInstance {
  TRITONBACKEND_Model* model = nullptr;
  headrace::engine::InstancePlacement placement;
  TRITONSERVER_Message host_policy;
  void* state = nullptr;
  // Where executions are counted; null before the first one. The model that owns it owns this
  // instance too.
  headrace::engine::ModelStatistics* statistics = nullptr;
};

struct TRITONBACKEND_ResponseFactory;

// What a backend says about one response of a decoupled model. Belongs to one thread at a time.
struct TRITONBACKEND_ModelInstanceResponseStatistics {
  TRITONBACKEND_ModelInstance* instance = nullptr;
  TRITONBACKEND_ResponseFactory* factory = nullptr;
  headrace::engine::ResponseTimes times;
  headrace::engine::ResponseOutcome outcome = headrace::engine::ResponseOutcome::kSuccess;
};

#endif  // HEADRACE_PLUGIN_MODEL_HANDLE_H_
