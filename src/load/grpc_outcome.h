// What the end of a gRPC call says, and what it counts as.
#ifndef HEADRACE_LOAD_GRPC_OUTCOME_H_
#define HEADRACE_LOAD_GRPC_OUTCOME_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "load/record.h"
#include "net/grpc_text.h"

namespace headrace::load {

struct GrpcEnding {
  Outcome outcome = Outcome::kOk;
  std::uint32_t code = 0;  // gRPC's
};

// A code that the server gave.
GrpcEnding EndingOfCode(std::uint32_t code);
// A failure on a stream, where there is a text and no code: UNKNOWN, but for what Triton says of a
// full queue (UNAVAILABLE).
GrpcEnding EndingOfStreamError(std::string_view text);

// The fields of a call's answer as they come: head and trailers.
class GrpcAnswerFields {
 public:
  void Reset() { *this = GrpcAnswerFields(); }
  void Take(std::string_view name, std::string_view value);
  net::GrpcEncoding encoding() const { return encoding_; }
  bool has_code() const { return code_ >= 0; }
  // grpc-message as it came, percent-encoded; its start, if it is long.
  const std::string& message() const { return message_; }
  // Of a stream that closed with HTTP/2's `error_code` (H2Call::OnClosed), by gRPC's tables. OK
  // where the server said so, whatever came before.
  GrpcEnding Ending(std::uint32_t error_code) const;

 private:
  int http_status_ = 0;  // 0 = none came
  int code_ = -1;        // grpc-status; -1 = none came
  net::GrpcEncoding encoding_ = net::GrpcEncoding::kIdentity;
  std::string message_;
};

// Why a call ended as `ending` says, in the server's words where it had any: "gRPC
// INVALID_ARGUMENT: no such input".
std::string FailureText(const GrpcEnding& ending, const GrpcAnswerFields& fields);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_OUTCOME_H_
