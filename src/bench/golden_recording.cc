#include "bench/golden_recording.h"

#include <utility>

#include "bench/file_writer.h"
#include "load/golden_record.h"

namespace headrace::bench {

Status RecordGolden(Session& session, const load::Workload& workload, bool has_tensors,
                    bool batched, const std::string& path) {
  LevelSpec spec;
  spec.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  spec.arrivals.concurrency = 1;
  spec.stop.duration = kNever;
  spec.stop.request_count = workload.items.front().contents.size();
  spec.warmup_max = 0;
  HEADRACE_ASSIGN_OR_RETURN(const LevelResult level, session.Run(spec));
  if (level.stop_reason == StopReason::kInterrupted) {
    return Unavailable("interrupted: no golden file is written");
  }
  if (level.failure_count() > 0) {
    std::string why;
    for (const Verdict::Line& line : level.verdict.lines) {
      why += line.remark == Remark::kFailures ? line.text : "";
    }
    return Unavailable("no golden file is written: {}", why);
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string text,
                            load::GoldenFileText(workload, has_tensors, batched));
  return WriteFile(path, text);
}

}  // namespace headrace::bench
