#include "worker/output_lines.h"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::worker {

void OutputLines::Add(std::string_view bytes, Nanos now, const Sink& sink) {
  Refill(now);
  if (left_out_ > 0 && tokens_ > 0) {
    TellLeftOut(sink);
  }
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    const std::size_t kept = std::min(end, limits_.line_byte_size_max - line_.size());
    line_.append(bytes.substr(0, kept));
    cut_byte_size_ += end - kept;
    if (end < bytes.size()) {
      EndLine(sink);
    }
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
}

void OutputLines::Finish(const Sink& sink) {
  tokens_ = std::max(tokens_, 1U);
  if (left_out_ > 0) {
    TellLeftOut(sink);
  }
  EndLine(sink);
}

void OutputLines::Refill(Nanos now) {
  if (now - counted_at_ >= kSecond) {
    counted_at_ = now;
    tokens_ = limits_.lines_per_second_max;
  }
}

void OutputLines::EndLine(const Sink& sink) {
  if (line_.empty()) {
    return;
  }
  if (tokens_ == 0) {
    ++left_out_;
  } else {
    --tokens_;
    if (cut_byte_size_ > 0) {
      line_ += fmt::format("... ({} more bytes)", cut_byte_size_);
    }
    sink(line_);
  }
  line_.clear();
  cut_byte_size_ = 0;
}

void OutputLines::TellLeftOut(const Sink& sink) {
  sink(fmt::format("({} lines left out: more than {} in a second)", left_out_,
                   limits_.lines_per_second_max));
  left_out_ = 0;
}

}  // namespace headrace::worker
