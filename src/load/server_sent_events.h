// Counts the events of a text/event-stream as it comes.
#ifndef HEADRACE_LOAD_SERVER_SENT_EVENTS_H_
#define HEADRACE_LOAD_SERVER_SENT_EVENTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headrace::load {

// An event is a block of lines with data, ended by an empty line (WHATWG HTML 9.2). Keeps no data
// beyond the start of a line. A value type.
class ServerSentEvents {
 public:
  // Returns how many events `bytes` completed.
  std::uint32_t Feed(std::string_view bytes);
  // An event told of an error, as Triton's generate_stream does: its data began with {"error".
  bool failed() const { return failed_; }

 private:
  void EndLine();

  std::array<char, 24> line_{};  // its first bytes
  std::size_t line_byte_size_ = 0;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool failed_ = false;
  std::uint32_t event_count_ = 0;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_SERVER_SENT_EVENTS_H_
