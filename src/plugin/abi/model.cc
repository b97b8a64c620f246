// Entries of family "backend", "backend_attribute", "memory", "model".
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "plugin/model_handle.h"

using headrace::Unavailable;
using headrace::Unimplemented;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

namespace {

TRITONSERVER_Error* AllocateForDevice(TRITONBACKEND_MemoryManager& manager, void** buffer,
                                      TRITONSERVER_MemoryType memory_type,
                                      std::int64_t memory_type_id, std::uint64_t byte_size) {
  if (manager.devices == nullptr) {
    return ToTriton(Unavailable("this server has host memory only: it has no GPU"));
  }
  auto memory = memory_type == TRITONSERVER_MEMORY_GPU
                    ? manager.devices->AllocateGpu(static_cast<int>(memory_type_id), byte_size)
                    : manager.devices->AllocatePinned(byte_size);
  if (!memory.ok()) {
    return ToTriton(memory.status());
  }
  *buffer = *memory;
  return nullptr;
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_BackendName(TRITONBACKEND_Backend* backend, const char** name) {
  *name = backend->name.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendConfig(TRITONBACKEND_Backend* backend,
                                                TRITONSERVER_Message** backend_config) {
  *backend_config = &backend->config;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendExecutionPolicy(TRITONBACKEND_Backend* backend,
                                                         TRITONBACKEND_ExecutionPolicy* policy) {
  *policy = backend->execution_policy;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendSetExecutionPolicy(TRITONBACKEND_Backend* backend,
                                                            TRITONBACKEND_ExecutionPolicy policy) {
  if (policy != TRITONBACKEND_EXECUTION_BLOCKING &&
      policy != TRITONBACKEND_EXECUTION_DEVICE_BLOCKING) {
    return RefuseCall("there is no such execution policy");
  }
  // Each instance has a thread of its own, so that both policies run alike.
  backend->execution_policy = policy;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendArtifacts(TRITONBACKEND_Backend* backend,
                                                   TRITONBACKEND_ArtifactType* artifact_type,
                                                   const char** location) {
  *artifact_type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  *location = backend->directory.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendMemoryManager(TRITONBACKEND_Backend* backend,
                                                       TRITONBACKEND_MemoryManager** manager) {
  *manager = &backend->memory_manager;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendState(TRITONBACKEND_Backend* backend, void** state) {
  *state = backend->state;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendSetState(TRITONBACKEND_Backend* backend, void* state) {
  backend->state = state;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(
    TRITONBACKEND_BackendAttribute* attributes, const TRITONSERVER_InstanceGroupKind kind,
    const uint64_t count, const uint64_t* device_ids, const uint64_t id_count) {
  return Answer([&]() -> TRITONSERVER_Error* {
    attributes->preferred_groups.push_back({kind, count, {device_ids, device_ids + id_count}});
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading(
    TRITONBACKEND_BackendAttribute* attributes, bool enabled) {
  attributes->parallel_instance_loading = enabled;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_MemoryManagerAllocate(TRITONBACKEND_MemoryManager* manager,
                                                        void** buffer,
                                                        const TRITONSERVER_MemoryType memory_type,
                                                        const int64_t memory_type_id,
                                                        const uint64_t byte_size) {
  constexpr std::size_t kAlignment = 64;
  *buffer = nullptr;
  return Answer([&]() -> TRITONSERVER_Error* {
    if (memory_type != TRITONSERVER_MEMORY_CPU) {
      return AllocateForDevice(*manager, buffer, memory_type, memory_type_id, byte_size);
    }
    if (byte_size > PTRDIFF_MAX - kAlignment) {
      return ToTriton(Unavailable("{} bytes of memory cannot be had", byte_size));
    }
    const std::size_t rounded = (byte_size + kAlignment - 1) / kAlignment * kAlignment;
    *buffer = std::aligned_alloc(kAlignment, std::max(rounded, kAlignment));
    return *buffer != nullptr
               ? nullptr
               : ToTriton(Unavailable("{} bytes of memory cannot be had", byte_size));
  });
}

TRITONSERVER_Error* TRITONBACKEND_MemoryManagerFree(TRITONBACKEND_MemoryManager* manager,
                                                    void* buffer,
                                                    const TRITONSERVER_MemoryType memory_type,
                                                    const int64_t /*memory_type_id*/) {
  if (memory_type == TRITONSERVER_MEMORY_CPU) {
    std::free(buffer);
    return nullptr;
  }
  return Answer([&] {
    return manager->devices != nullptr && manager->devices->Free(buffer)
               ? nullptr
               : RefuseCall(
                     "the memory to free was not given out by this server, or is free already");
  });
}

TRITONSERVER_Error* TRITONBACKEND_ModelName(TRITONBACKEND_Model* model, const char** name) {
  *name = model->name.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelVersion(TRITONBACKEND_Model* model, uint64_t* version) {
  *version = static_cast<uint64_t>(model->version);
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelRepository(TRITONBACKEND_Model* model,
                                                  TRITONBACKEND_ArtifactType* artifact_type,
                                                  const char** location) {
  *artifact_type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  *location = model->directory.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelConfig(TRITONBACKEND_Model* model,
                                              const uint32_t config_version,
                                              TRITONSERVER_Message** model_config) {
  *model_config = nullptr;
  if (config_version != 1) {
    return RefuseCall("model configuration version must be 1");
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    *model_config = new TRITONSERVER_Message{model->config_json};
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONBACKEND_ModelAutoCompleteConfig(TRITONBACKEND_Model* model,
                                                          bool* auto_complete_config) {
  *auto_complete_config = model->auto_complete;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelSetConfig(TRITONBACKEND_Model* model,
                                                 const uint32_t config_version,
                                                 TRITONSERVER_Message* model_config) {
  if (config_version != 1) {
    return RefuseCall("model configuration version must be 1");
  }
  if (!model->initializing) {
    return RefuseCall("a model's configuration can be set only while the model initializes");
  }
  if (!model->complete_config) {
    return ToTriton(
        Unimplemented("the configuration of model '{}' must not be completed", model->name));
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    auto completed = model->complete_config(model_config->json);
    if (!completed.ok()) {
      model->config_refusal = completed.status();
      return ToTriton(completed.status());
    }
    model->config_json = std::move(completed).value();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONBACKEND_ModelServer(TRITONBACKEND_Model* model,
                                              TRITONSERVER_Server** server) {
  *server = model->backend->server;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelBackend(TRITONBACKEND_Model* model,
                                               TRITONBACKEND_Backend** backend) {
  *backend = model->backend;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelState(TRITONBACKEND_Model* model, void** state) {
  *state = model->state;
  return nullptr;
}

TRITONSERVER_Error* TRITONBACKEND_ModelSetState(TRITONBACKEND_Model* model, void* state) {
  model->state = state;
  return nullptr;
}

}  // extern "C"
