// engine::Backend over the Triton backend interface: one loaded library, its models, their
// instances.
//
// Life cycle (contracts, Triton 8.6): GetBackendAttribute, Initialize; per version ModelInitialize,
// per instance ModelInstanceInitialize, Execute..., ModelInstanceFinalize, ModelFinalize; Finalize
// with the last user of the backend. An exception that leaves one of these functions becomes the
// error of the call, and of the batch if it was Execute.
#ifndef HEADRACE_PLUGIN_PLUGIN_BACKEND_H_
#define HEADRACE_PLUGIN_PLUGIN_BACKEND_H_

#include <memory>
#include <string>

#include "base/result.h"
#include "device/device_memory.h"
#include "engine/backend.h"
#include "plugin/library.h"

struct TRITONBACKEND_Backend;
struct TRITONSERVER_Server;

namespace headrace::plugin {

struct PluginBackendOptions {
  std::string name;
  std::string directory;                                  // of the library
  std::string config_json;                                // {"cmdline":{...}}
  std::shared_ptr<device::DeviceMemory> device_memory{};  // null: no GPU
  TRITONSERVER_Server* server = nullptr;                  // what its models may call; borrowed
};

// Thread-safe. Loaded models share it.
class PluginBackend final : public engine::Backend,
                            public std::enable_shared_from_this<PluginBackend> {
 public:
  // Initialises the backend (blocking). The failure carries the backend's own text.
  static Result<std::shared_ptr<PluginBackend>> Create(const EntryPoints& entries,
                                                       PluginBackendOptions options);
  ~PluginBackend() override;
  PluginBackend(const PluginBackend&) = delete;
  PluginBackend& operator=(const PluginBackend&) = delete;

  Result<std::unique_ptr<engine::LoadedModel>> Load(engine::LoadSpec spec) override;
  // By the groups that the backend says it prefers (BackendAttributeAddPreferredInstanceGroup).
  engine::InstanceKind PreferredKind() const override;

  const EntryPoints& entries() const { return entries_; }
  TRITONBACKEND_Backend& handle() { return *handle_; }

 private:
  PluginBackend(const EntryPoints& entries, PluginBackendOptions options);
  Status Initialize();

  const EntryPoints entries_;
  const std::unique_ptr<TRITONBACKEND_Backend> handle_;
  bool initialized_ = false;
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_PLUGIN_BACKEND_H_
