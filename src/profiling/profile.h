// What a profile measured, its advice, and its document.
#ifndef HEADRACE_PROFILING_PROFILE_H_
#define HEADRACE_PROFILING_PROFILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "profiling/batch_recorder.h"
#include "profiling/cpu_samples.h"
#include "profiling/machine_ceiling.h"
#include "profiling/memory_use.h"
#include "profiling/operator_record.h"
#include "profiling/thread_times.h"

namespace headrace::profiling {

// What the caller asks for.
struct ProfileOptions {
  static constexpr Nanos kDurationMax = 600 * kSecond;

  Nanos duration = 5 * kSecond;
  std::uint64_t request_count = 0;  // ends earlier after so many; 0: no number
  bool operators = true;
  bool shapes = false;
  bool memory = false;       // what operators allocate
  bool stack = false;        // which lines of the model's source called them
  bool cpu_samples = false;  // where the server's threads are on the processor

  // From the body of the request; an empty one is all defaults. INVALID_ARGUMENT names the field.
  static Result<ProfileOptions> Parse(std::string_view json);
};

struct Profile {
  std::string model;
  std::int64_t version = 0;
  ProfileOptions options{};
  Nanos began = 0, ended = 0;
  int core_count = 1;  // that the process may use
  int instance_count = 0;
  std::int64_t batch_size_max = 1;
  BatchRecorder::Taken batches{};
  std::optional<OperatorRecord> operators{};  // nothing: not asked for, or not to be had
  std::string operators_missing{};            // why, where they were asked for
  std::vector<ThreadUse> threads{};
  MemoryUse memory{};
  std::optional<MachineCeiling> machine{};  // nothing: no operator's work is known
  std::optional<CpuSampleTable> cpu{};      // nothing: not asked for
};

struct Advice {
  // "launch-bound", "copies", "threads", "migrations", "batches", "queue", "instances", "traffic"
  std::string topic;
  std::string text;  // what was seen, and what to try
};
// Pure. Empty where nothing stands out.
std::vector<Advice> AdviceOn(const Profile& profile);

// Executions of one size.
struct BatchLine {
  std::int64_t batch_size = 0;
  std::uint64_t count = 0;
  Nanos execution_mean = 0, execution_max = 0;
  Nanos queue_mean = 0;  // of its requests
};
// By size, ascending.
std::vector<BatchLine> BatchTable(const std::vector<RecordedBatch>& batches);

// Tracks of the trace that are no threads: beyond the system's thread numbers, which end at 2^22.
inline constexpr std::int64_t kQueueTrack = 10'000'001;   // requests that wait
inline constexpr std::int64_t kDeviceTrack = 10'000'002;  // operators of a GPU

// The answer: one JSON object that viewers of Chrome traces open ("traceEvents"), with what people
// and programs read under "headrace" (docs/profile.md).
std::string ProfileDocument(const Profile& profile);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_PROFILE_H_
