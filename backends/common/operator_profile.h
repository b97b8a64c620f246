// The operators that a runtime ran while a model was profiled, and the switch that instances look
// at.
#ifndef HEADRACE_BACKENDS_COMMON_OPERATOR_PROFILE_H_
#define HEADRACE_BACKENDS_COMMON_OPERATOR_PROFILE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"
#include "common/operator_work.h"
#include "headrace_extensions.h"
#include "triton_abi.h"

namespace headrace::backend {

// One call of an operator.
struct OperatorEvent {
  std::string name{};
  std::string kind{};         // the operator's type, where a node has a name of its own
  std::int64_t start_ns = 0;  // CLOCK_MONOTONIC
  std::int64_t duration_ns = 0;
  std::int64_t thread = 0;
  std::string shapes{};  // empty: not asked for
  OperatorWork work{};
  std::uint64_t byte_size = 0;  // of its outputs, where the runtime says that of each call
  std::int64_t stack = -1;      // index of `stacks`; -1: none
  bool on_device = false;
};

// Memory that was allocated (above 0) or freed.
struct MemoryEvent {
  std::int64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::int64_t thread = 0;
  std::int64_t byte_size = 0;
  bool on_device = false;
};

// The calls of one node, summed up by the runtime.
struct OperatorTotal {
  std::string name, kind, detail;
  std::uint64_t count = 0;
  std::int64_t duration_ns = 0;
  // Of the calls whose work is known.
  OperatorWork work{};
  std::uint64_t worked_count = 0;
  std::int64_t worked_ns = 0;
};

// What HEADRACE_ModelProfileStop hands over (abi/headrace_extensions.h).
struct OperatorProfile {
  static constexpr std::size_t kEventCountMax = 200'000;

  std::string runtime;      // with its version
  std::string note;         // what a reader has to know; empty: nothing
  std::string memory_note;  // what its byte sizes are
  std::string work_note;    // why operators have no flops or bytes; empty: they have
  int threads = 0;          // that an instance computes with; 0: not known
  bool truncated = false;
  std::vector<OperatorEvent> events;
  std::vector<OperatorTotal> totals;
  std::vector<MemoryEvent> memory;
  std::vector<std::string> stacks;  // "outer;inner"

  // The index of a stack, which is added if it is new.
  std::int64_t StackIndex(const std::string& stack);
  // False, and marks the profile, when there are too many.
  bool Add(OperatorEvent event);
  void Add(const MemoryEvent& event);  // left out, and marked, beyond the same number
  std::string ToJson() const;

 private:
  std::map<std::string, std::int64_t> stack_indices_;
};

// What to take off CLOCK_REALTIME for CLOCK_MONOTONIC, now.
std::int64_t WallMinusMonotonic();

struct ProfileOptions {
  bool shapes = false;
  bool memory = false;  // what operators allocate
  bool stack = false;   // which lines of the model's source called them
  static Error Read(const char* json, ProfileOptions* options);
};

// Holds the recording of a model while it is profiled. `Recording` is the backend's own.
// Thread-safe.
template <typename Recording>
class ProfileSwitch {
 public:
  Error On(std::shared_ptr<Recording> recording) {
    const std::lock_guard lock(mutex_);
    if (recording_ != nullptr) {
      return Unavailable("the model is being profiled already");
    }
    recording_ = std::move(recording);
    on_.store(true, std::memory_order_relaxed);
    return {};
  }
  // Null if it was off.
  std::shared_ptr<Recording> Off() {
    const std::lock_guard lock(mutex_);
    on_.store(false, std::memory_order_relaxed);
    return std::exchange(recording_, nullptr);
  }
  // For instances, before each batch: null when it is off, at the cost of one relaxed load.
  std::shared_ptr<Recording> Get() const {
    if (!on_.load(std::memory_order_relaxed)) {
      return nullptr;
    }
    const std::lock_guard lock(mutex_);
    return recording_;
  }

 private:
  std::atomic<bool> on_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<Recording> recording_;  // guarded by mutex_
};

}  // namespace headrace::backend

// The two functions that the server looks up, for a Model with
//   Error StartProfile(const ProfileOptions& options);
//   Error StopProfile(OperatorProfile* profile);
#define HEADRACE_BACKEND_PROFILE_ENTRY_POINTS(name, Model)                                   \
  extern "C" {                                                                               \
  __attribute__((visibility("default"))) TRITONSERVER_Error* HEADRACE_ModelProfileStart(     \
      TRITONBACKEND_Model* handle, const char* options_json) {                               \
    return ::headrace::backend::Guarded(                                                     \
               name,                                                                         \
               [&]() -> ::headrace::backend::Error {                                         \
                 void* state = nullptr;                                                      \
                 HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelState(handle, &state)); \
                 ::headrace::backend::ProfileOptions options;                                \
                 HEADRACE_BACKEND_RETURN_IF_ERROR(                                           \
                     ::headrace::backend::ProfileOptions::Read(options_json, &options));     \
                 return static_cast<Model*>(state)->StartProfile(options);                   \
               })                                                                            \
        .Release();                                                                          \
  }                                                                                          \
  __attribute__((visibility("default"))) TRITONSERVER_Error* HEADRACE_ModelProfileStop(      \
      TRITONBACKEND_Model* handle, HEADRACE_TakeText* take, void* user) {                    \
    return ::headrace::backend::Guarded(                                                     \
               name,                                                                         \
               [&]() -> ::headrace::backend::Error {                                         \
                 void* state = nullptr;                                                      \
                 HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelState(handle, &state)); \
                 ::headrace::backend::OperatorProfile profile;                               \
                 HEADRACE_BACKEND_RETURN_IF_ERROR(                                           \
                     static_cast<Model*>(state)->StopProfile(&profile));                     \
                 const std::string text = profile.ToJson();                                  \
                 take(user, text.data(), text.size());                                       \
                 return {};                                                                  \
               })                                                                            \
        .Release();                                                                          \
  }                                                                                          \
  } /* extern "C" */

#endif  // HEADRACE_BACKENDS_COMMON_OPERATOR_PROFILE_H_
