// Profiles a model of a server that serves.
#ifndef HEADRACE_PROFILING_PROFILER_H_
#define HEADRACE_PROFILING_PROFILER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.h"
#include "engine/registry.h"
#include "profiling/profile.h"

namespace headrace {
class TaskThreads;
}

namespace headrace::profiling {

// One profile at a time: what it measures is the whole process. Thread-safe.
class Profiler {
 public:
  Profiler();
  ~Profiler();  // waits for the end of one that is under way

  // Ends the profile that is under way, whose document is handed over early, and refuses others.
  void End();

  // Where the memory of devices is read; null: nowhere. Before the first Start.
  void SetDeviceMemoryReader(DeviceMemoryReader reader) { devices_ = std::move(reader); }

  // Watches the model as the options say, on a thread of its own, then calls `done` there with the
  // document, or with the reason why there is none: UNAVAILABLE while another model is watched,
  // FAILED_PRECONDITION for an ensemble, which names its steps. Does not block.
  using Done = std::function<void(Result<std::string>)>;
  void Start(engine::ModelHandle model, ProfileOptions options, Done done);

 private:
  class Task;
  // On the thread of its task, as what follows.
  Profile Watch(engine::Model& model, const ProfileOptions& options,
                const std::shared_ptr<BatchRecorder>& recorder);

  DeviceMemoryReader devices_;
  CeilingMeter ceilings_;  // used by one profile at a time
  std::mutex mutex_;       // guards what follows
  bool ends_ = false;
  std::string watched_;                      // "" = none
  std::shared_ptr<BatchRecorder> recorder_;  // of the model that is watched
  std::unique_ptr<TaskThreads> threads_;     // made with the first profile
};

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_PROFILER_H_
