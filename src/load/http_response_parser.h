// Reads the answers of one connection, and keeps of them what is asked for.
#ifndef HEADRACE_LOAD_HTTP_RESPONSE_PARSER_H_
#define HEADRACE_LOAD_HTTP_RESPONSE_PARSER_H_

#include <llhttp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "load/server_sent_events.h"

namespace headrace::load {

// llhttp does the byte work. The events do not depend on how the bytes are cut into pieces. Not
// thread-safe; not movable.
//
//   parser.Start(wanted);
//   state = parser.Feed(bytes);       // until it is not kMore
//   state = parser.Finish();          // where the connection ends first
class HttpResponseParser {
 public:
  struct Wanted {
    bool body = false;                  // keep it
    bool chunks_are_responses = false;  // TorchServe's streams
  };
  enum class State : std::uint8_t {
    kMore,
    kComplete,
    kMalformed,  // no HTTP, bytes behind the answer, or a body that is too large to keep
    kCut,        // Finish: the answer is not whole
  };

  HttpResponseParser();
  HttpResponseParser(const HttpResponseParser&) = delete;
  HttpResponseParser& operator=(const HttpResponseParser&) = delete;

  void Start(const Wanted& wanted);
  State Feed(std::string_view bytes);
  State Finish();

  // True once a byte of the answer has come.
  bool begun() const { return begun_; }
  // Bytes of the body that are still to come and that nobody wants: they may be dropped unread.
  std::uint64_t droppable_byte_size() const { return wanted_.body ? 0 : body_left_; }
  // So many of them have been; kComplete after the last.
  State Dropped(std::uint64_t byte_size);

  // Whole responses of a stream since the last call. 0 for an answer that is no stream.
  std::uint32_t TakeResponses();

  // Of the complete answer.
  std::uint32_t status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }
  bool stream_failed() const { return events_.failed(); }
  const std::string& body() const { return body_; }
  std::optional<std::uint64_t> json_byte_size() const { return json_byte_size_; }

 private:
  struct Callbacks;
  int OnFieldName(std::string_view text);
  int OnFieldValue(std::string_view text);
  int OnFieldEnd();
  int OnHeadersComplete();
  int OnBody(std::string_view bytes);
  int OnMessageComplete();
  State FeedBody(std::string_view bytes);

  llhttp_t llhttp_;
  Wanted wanted_;
  bool begun_ = false;
  bool complete_ = false;
  bool keep_alive_ = false;
  bool event_stream_ = false;
  bool chunk_has_data_ = false;
  std::uint32_t status_ = 0;
  std::uint32_t response_count_ = 0;
  std::uint64_t body_left_ = 0;  // of a body of known length, which llhttp does not see
  std::optional<std::uint64_t> json_byte_size_;
  // The first bytes of the field that is read; no name or value that matters is longer.
  std::array<char, 40> name_, value_;
  std::size_t name_byte_size_ = 0, value_byte_size_ = 0;
  ServerSentEvents events_;
  std::string body_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HTTP_RESPONSE_PARSER_H_
