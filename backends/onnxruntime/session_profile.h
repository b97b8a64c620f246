// The operators of a model's instances, as ONNX Runtime's profiler records them.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_PROFILE_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_PROFILE_H_

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/error.h"
#include "common/operator_profile.h"
#include "onnxruntime/session.h"
#include "onnxruntime/session_options.h"

namespace headrace::backend {

// The runtime switches its profiler on where a session is made, so that a recording has sessions of
// its own, beside the model's. Thread-safe.
class SessionProfile {
 public:
  static Error Start(const ProfileOptions& options, std::shared_ptr<SessionProfile>* profile);
  ~SessionProfile();  // removes the runtime's files

  // A session that records. Blocks where it is the first one of the device. UNAVAILABLE when the
  // recording has ended.
  Error FindSession(const OnnxFiles& files, const SessionSettings& settings,
                    const SessionDevice& device, std::shared_ptr<OnnxSession>* session);
  // Ends it. Sessions go on to run, and record no more.
  Error Finish(OperatorProfile* profile);

 private:
  SessionProfile(std::filesystem::path directory, bool shapes)
      : directory_(std::move(directory)), shapes_(shapes) {}

  const std::filesystem::path directory_;
  const bool shapes_;
  std::mutex mutex_;  // guards what follows; held while a session is loaded
  bool ended_ = false;
  int threads_ = 0;  // of a session; 0: the runtime's choice
  std::map<SessionDevice, std::shared_ptr<OnnxSession>> sessions_;
};

// Adds the nodes in the runtime's file of trace events to `profile`; `start_ns` is when its times
// begin. Thread numbers of the file are the system's. What does not read is left out.
void AddTraceEvents(std::string_view json, std::int64_t start_ns, bool shapes,
                    OperatorProfile* profile);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_PROFILE_H_
