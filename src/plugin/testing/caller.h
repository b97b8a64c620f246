// A program that makes requests through the C interface, and the server that it asks.
#ifndef HEADRACE_PLUGIN_TESTING_CALLER_H_
#define HEADRACE_PLUGIN_TESTING_CALLER_H_

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/server_handle.h"

namespace headrace::plugin::testing {

// A server of models that the test puts into its registry; loads and unloads are noted down.
class FakeServer final : public ServerControl {
 public:
  const engine::Registry& registry() const override { return models; }
  bool Ready() const override { return true; }
  std::string MetadataJson() const override { return R"({"name":"fake"})"; }
  Result<std::string> ModelMetadataJson(const std::string& name,
                                        std::optional<std::int64_t>) const override {
    return R"({"name":")" + name + "\"}";
  }
  Result<std::string> StatisticsJson(const std::string& name,
                                     std::optional<std::int64_t>) const override {
    return NotFound("no statistics of '{}'", name);
  }
  std::string IndexJson(bool ready_only) const override { return ready_only ? "[]" : "[1]"; }
  std::string MetricsPage() const override { return "page"; }
  Status Load(const std::string& name, std::string config_json,
              std::map<std::string, std::string> files) override {
    calls.push_back("load " + name + " " + config_json);
    for (const auto& [path, content] : files) {
      calls.back() += " " + path + "=" + content;
    }
    return OkStatus();
  }
  Status Unload(const std::string& name, bool unload_dependents) override {
    calls.push_back("unload " + name + (unload_dependents ? " and dependents" : ""));
    return OkStatus();
  }
  Status Poll() override { return Unavailable("polling is disabled"); }
  Status RegisterRepository(const std::string& path,
                            const std::map<std::string, std::string>& mapping) override {
    calls.push_back("register " + path);
    for (const auto& [model, directory] : mapping) {
      calls.back() += " " + directory + "->" + model;
    }
    return OkStatus();
  }
  Status UnregisterRepository(const std::string& path) override {
    calls.push_back("unregister " + path);
    return OkStatus();
  }

  engine::Registry models;
  std::vector<std::string> calls;
};

// What came back of one request. Thread-safe.
class Reception {
 public:
  ~Reception() {
    for (TRITONSERVER_InferenceResponse* response : responses) {
      TRITONSERVER_InferenceResponseDelete(response);
    }
  }

  static void OnRelease(TRITONSERVER_InferenceRequest*, uint32_t, void* userp) {
    auto* const self = static_cast<Reception*>(userp);
    std::lock_guard lock(self->mutex_);
    ++self->releases;
    self->changed_.notify_all();
  }
  static void OnResponse(TRITONSERVER_InferenceResponse* response, uint32_t flags, void* userp) {
    auto* const self = static_cast<Reception*>(userp);
    std::lock_guard lock(self->mutex_);
    if (response != nullptr) {
      self->responses.push_back(response);
    }
    self->flags.push_back(flags);
    self->finals += (flags & TRITONSERVER_RESPONSE_COMPLETE_FINAL) != 0 ? 1 : 0;
    self->changed_.notify_all();
  }
  // Blocks until the request has ended and is the caller's again.
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return finals > 0 && releases > 0; });
  }

  std::vector<TRITONSERVER_InferenceResponse*> responses;
  std::vector<uint32_t> flags;
  int finals = 0, releases = 0;

 private:
  std::mutex mutex_;  // guards what a callback changes
  std::condition_variable changed_;
};

// Memory for responses, with its books.
struct Memory {
  static TRITONSERVER_Error* Allocate(TRITONSERVER_ResponseAllocator*, const char*,
                                      size_t byte_size, TRITONSERVER_MemoryType, int64_t,
                                      void* userp, void** buffer, void** buffer_userp,
                                      TRITONSERVER_MemoryType* type, int64_t* type_id) {
    auto* const self = static_cast<Memory*>(userp);
    if (self->fails) {
      return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "no memory today");
    }
    *buffer = byte_size == 0 ? nullptr : new char[byte_size];
    *buffer_userp = self;
    *type = self->type;
    *type_id = 0;
    ++self->live;
    return nullptr;
  }
  static TRITONSERVER_Error* Release(TRITONSERVER_ResponseAllocator*, void* buffer,
                                     void* buffer_userp, size_t, TRITONSERVER_MemoryType, int64_t) {
    delete[] static_cast<char*>(buffer);
    --static_cast<Memory*>(buffer_userp)->live;
    return nullptr;
  }
  static TRITONSERVER_Error* Start(TRITONSERVER_ResponseAllocator*, void* userp) {
    ++static_cast<Memory*>(userp)->starts;
    return nullptr;
  }

  int live = 0, starts = 0;
  bool fails = false;
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
};

}  // namespace headrace::plugin::testing

#endif  // HEADRACE_PLUGIN_TESTING_CALLER_H_
