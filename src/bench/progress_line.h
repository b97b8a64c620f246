// How a run is going: one line that is painted again and again on a terminal, else a plain line now
// and then.
#ifndef HEADRACE_BENCH_PROGRESS_LINE_H_
#define HEADRACE_BENCH_PROGRESS_LINE_H_

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "bench/session.h"

namespace headrace::bench {

// One thread. Writes nothing when not `enabled`.
class ProgressLine {
 public:
  // `stream` is borrowed; it is a terminal if the kernel says so and TERM is not "dumb".
  ProgressLine(std::FILE* stream, bool enabled);
  ~ProgressLine() { Clear(); }

  // `what`: the level, in words.
  void Show(std::string_view what, const Progress& progress);
  // Takes the painted line away, so that other text can be written.
  void Clear();
  // A line of its own, above the painted one.
  void Say(std::string_view line);

 private:
  std::FILE* const stream_;
  const bool enabled_;
  bool terminal_ = false;
  bool painted_ = false;
  Nanos said_at_ = 0;
  std::vector<double> rates_;  // for the sparkline
};

// "measure  4.2/10.0 s  1,002/s  p99 1.31 ms  0 failed": without sparkline and colour.
std::string ProgressText(std::string_view what, const Progress& progress);
// One character for each value, by its height among them.
std::string Sparkline(const std::vector<double>& values);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_PROGRESS_LINE_H_
