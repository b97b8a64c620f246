#include "load/server_sent_events.h"

#include <algorithm>

namespace headrace::load {

std::uint32_t ServerSentEvents::Feed(std::string_view bytes) {
  event_count_ = 0;
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      after_cr_ = false;
      continue;
    }
    after_cr_ = false;
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    if (line_byte_size_ < line_.size()) {
      std::copy_n(bytes.data(), std::min(end, line_.size() - line_byte_size_),
                  line_.data() + line_byte_size_);
    }
    line_byte_size_ += end;
    if (end == bytes.size()) {
      break;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    EndLine();
  }
  return event_count_;
}

void ServerSentEvents::EndLine() {
  const std::string_view line(line_.data(), std::min(line_byte_size_, line_.size()));
  if (line.empty()) {
    event_count_ += has_data_ ? 1 : 0;
    has_data_ = false;
  } else if (line.starts_with("data")) {
    std::string_view data = line.substr(4);
    if (data.empty() || data.front() == ':') {
      has_data_ = true;
    }
    data.remove_prefix(std::min(data.find_first_not_of(": "), data.size()));
    failed_ = failed_ || data.starts_with("{\"error\":");
  }
  line_byte_size_ = 0;
}

}  // namespace headrace::load
