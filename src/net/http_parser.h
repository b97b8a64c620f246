// The framing of HTTP/1.1 requests, strictly: what may be read in two ways is refused (reliability
// D8, D10).
//
// llhttp does the byte work; this class adds what llhttp leaves open (Transfer-Encoding other than
// one `chunked`, the rules of Host, targets, versions, sizes) and gathers the strings of a head.
// The events do not depend on how the bytes are cut into pieces. No socket, no clock. Not
// thread-safe.
//
//   parser.Start(head, bytes);
//   step = parser.ParseHead(input);                      // until kComplete
//   if (head.chunked) step = parser.ParseChunks(rest, sink);  // until kComplete
//   parser.Start(...);                                   // the next request of the connection
#ifndef HEADRACE_NET_HTTP_PARSER_H_
#define HEADRACE_NET_HTTP_PARSER_H_

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.h"

namespace headrace::net {

// Why a request was refused; `reason` is static text without quotes or control bytes.
struct HttpFailure {
  int status = 0;  // 0: none
  std::string_view reason;
};

class HttpParser {
 public:
  enum class Outcome : std::uint8_t { kMore, kComplete, kFailed };
  struct Step {
    Outcome outcome;
    std::size_t consumed;  // bytes of the input that belong to this request
  };

  // Takes the bytes of a chunked body.
  class BodySink {
   public:
    virtual ~BodySink() = default;
    // False: there is no memory for them; the request fails with 503.
    virtual bool Append(std::string_view bytes) = 0;
  };

  // `limits` is borrowed.
  explicit HttpParser(const HttpLimits& limits);
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  // Begins a request: its strings go to `bytes`, which the views of `head` point into. Both are
  // borrowed until the head is complete.
  void Start(HttpRequestHead& head, std::string& bytes);
  // kComplete: `head` is filled and checked.
  Step ParseHead(std::string_view input);
  // Behind a head with `chunked`. Trailers are read and dropped.
  Step ParseChunks(std::string_view input, BodySink& sink, std::uint64_t body_byte_size_max);

  // False while at most an empty line has come.
  bool begun() const { return leading_ == Leading::kMethod; }
  const HttpFailure& failure() const { return failure_; }
  // Of the complete head.
  bool keep_alive() const { return keep_alive_; }
  bool http_1_0() const { return llhttp_.http_minor == 0; }
  bool expects_continue() const { return expects_continue_; }

 private:
  struct Callbacks;
  int Fail(int status, std::string_view reason);
  void FailFromLlhttp(llhttp_errno_t error);
  Step Execute(std::string_view input);
  std::size_t SkipEmptyLine(std::string_view input);
  void Append(std::string_view text, std::string_view& view);
  int OnTarget(std::string_view text);
  int OnFieldName(std::string_view text);
  int OnFieldValue(std::string_view text);
  int OnChunkHeader(std::uint64_t byte_size);
  void FinishHead();
  void CheckTarget();
  void CheckFields();
  void CheckTransferEncoding(std::string_view value);

  const HttpLimits& limits_;
  llhttp_t llhttp_;
  HttpFailure failure_;
  HttpRequestHead* head_ = nullptr;
  std::string* bytes_ = nullptr;
  BodySink* sink_ = nullptr;
  std::uint64_t body_byte_size_max_ = 0;
  std::uint64_t chunked_byte_size_ = 0;  // declared by the chunk headers so far
  std::size_t framing_byte_size_ = 0;    // consumed, other than chunk data
  std::size_t field_byte_size_ = 0;      // of the header section, or of the trailers
  std::size_t extension_byte_size_ = 0;  // of the current chunk
  std::uint32_t chunk_count_ = 0;
  std::uint8_t protocol_matched_ = 0;  // bytes of "HTTP" seen
  enum class Leading : std::uint8_t { kNothing, kCr, kCrLf, kMethod } leading_ = Leading::kNothing;
  bool value_seen_ = true;  // the next name begins a new field
  bool keep_alive_ = false;
  bool expects_continue_ = false;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP_PARSER_H_
