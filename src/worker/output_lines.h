// Cuts what a worker prints into lines for the log, and keeps it from filling the log.
#ifndef HEADRACE_WORKER_OUTPUT_LINES_H_
#define HEADRACE_WORKER_OUTPUT_LINES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace headrace::worker {

struct OutputLimits {
  std::size_t line_byte_size_max = 8 * 1024;  // the rest of a longer line is left out
  std::uint32_t lines_per_second_max = 1000;  // as many at once, too
};

// Pure; not thread-safe. Holds one line at most. A line ends with \n, \r (progress bars) or both;
// empty ones are left out. What it is given is passed on as it is: the log escapes it.
class OutputLines {
 public:
  // Takes a line without its end. The view holds during the call.
  using Sink = std::function<void(std::string_view line)>;

  explicit OutputLines(OutputLimits limits = {})
      : limits_(limits), tokens_(limits.lines_per_second_max) {}

  // Bytes as they came. Lines above the rate are counted, and the count is given as a line of its
  // own as soon as there may be lines again: call it with none at look_at().
  void Add(std::string_view bytes, Nanos now, const Sink& sink);
  // The output has ended: what is left, and what was left out.
  void Finish(const Sink& sink);

  // kNever if nothing was left out since the last count.
  Nanos look_at() const { return left_out_ == 0 ? kNever : counted_at_ + kSecond; }

 private:
  void EndLine(const Sink& sink);
  void Refill(Nanos now);
  void TellLeftOut(const Sink& sink);

  const OutputLimits limits_;
  std::string line_;               // begun; at most line_byte_size_max
  std::size_t cut_byte_size_ = 0;  // of the line's end
  std::uint32_t tokens_;           // lines that may still come this second
  Nanos counted_at_ = 0;           // when the second began
  std::uint64_t left_out_ = 0;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_OUTPUT_LINES_H_
