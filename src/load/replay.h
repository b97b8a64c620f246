// Recorded traffic, to be sent again.
#ifndef HEADRACE_LOAD_REPLAY_H_
#define HEADRACE_LOAD_REPLAY_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/arrivals.h"
#include "load/workload.h"

namespace headrace::load {

struct Recording {
  // When each request came, from the first; ascending.
  std::vector<Nanos> offsets;
  // What each was: an item's name, else a model's; "" = not said. As many as `offsets`, or none.
  std::vector<std::string> names;
  // Gaps between requests that go round and round (perf_analyzer's --request-intervals): the first
  // request comes after the first gap.
  bool gaps = false;
};

// By what is in the file:
//   JSON with "experiments"  perf_analyzer's profile export: the time stamps of all its requests
//   JSON with "data"         its --fixed-schedule: entries with "timestamp": [milliseconds]
//   a JSON array             Triton's trace file: requests without a parent, when they were
//   received lines with commas, or a file *.csv   "seconds[,model[,item]]", with or without a head
//   line other lines              gaps in microseconds, one on a line
// INVALID_ARGUMENT names file and line or member. At most 10,000,000 requests.
Result<Recording> ReadRecording(const std::string& path);
Result<Recording> ParseRecording(std::string_view text, const std::string& path);

// Has `arrivals` send when `recording` says: kReplay for gaps, else kSchedule. `loop`: a recording
// of times goes round and round too, with its mean gap between the rounds. It must not be empty.
void ApplyTimes(const Recording& recording, bool loop, ArrivalSpec& arrivals);
// Has `workload` take the items that `recording` names; where it names none, they are drawn.
// INVALID_ARGUMENT for a name that is neither an item's nor a model's.
Status ApplyNames(const Recording& recording, Workload& workload);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_REPLAY_H_
