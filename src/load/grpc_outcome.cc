#include "load/grpc_outcome.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <charconv>

#include "base/status.h"
#include "load/h2_connection.h"
#include "protocol/urlencoded.h"

namespace headrace::load {
namespace {

constexpr std::size_t kMessageByteSizeMax = 2048;  // three bytes may stand for one

constexpr auto Code(StatusCode code) { return static_cast<std::uint32_t>(code); }

// "http-grpc-status-mapping" of gRPC's documents.
StatusCode CodeOfHttpStatus(int status) {
  switch (status) {
    case 400:
      return StatusCode::kInternal;
    case 401:
      return StatusCode::kUnauthenticated;
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      return StatusCode::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return StatusCode::kUnavailable;
    default:
      return StatusCode::kUnknown;
  }
}

int Number(std::string_view text) {
  int number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

GrpcEnding EndingOfCode(std::uint32_t code) {
  switch (static_cast<StatusCode>(code)) {
    case StatusCode::kOk:
      return {Outcome::kOk, code};
    case StatusCode::kDeadlineExceeded:
      return {Outcome::kTimeout, code};
    case StatusCode::kResourceExhausted:
    case StatusCode::kUnavailable:
      return {Outcome::kRefused, code};
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kAlreadyExists:
    case StatusCode::kPermissionDenied:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kOutOfRange:
    case StatusCode::kUnimplemented:
    case StatusCode::kUnauthenticated:
      return {Outcome::kClientError, code};
    default:
      return {Outcome::kServerError, code};
  }
}

GrpcEnding EndingOfStreamError(std::string_view text) {
  return text.find("xceeds maximum queue size") != std::string_view::npos
             ? EndingOfCode(Code(StatusCode::kUnavailable))
             : EndingOfCode(Code(StatusCode::kUnknown));
}

void GrpcAnswerFields::Take(std::string_view name, std::string_view value) {
  if (name == "grpc-status") {
    code_ = Number(value);
  } else if (name == ":status") {
    http_status_ = Number(value);
  } else if (name == "grpc-encoding") {
    encoding_ = net::ParseGrpcEncoding(value).value_or(net::GrpcEncoding::kIdentity);
  } else if (name == "grpc-message") {
    message_ = value.substr(0, kMessageByteSizeMax);
  }
}

GrpcEnding GrpcAnswerFields::Ending(std::uint32_t error_code) const {
  if (code_ >= 0) {
    return EndingOfCode(static_cast<std::uint32_t>(code_));
  }
  if (http_status_ != 0 && http_status_ != 200) {
    return EndingOfCode(Code(CodeOfHttpStatus(http_status_)));
  }
  switch (error_code) {
    case NGHTTP2_NO_ERROR:
      return {Outcome::kMalformed, Code(StatusCode::kUnknown)};
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return {Outcome::kRefused, Code(StatusCode::kResourceExhausted)};
    case NGHTTP2_REFUSED_STREAM:
      return {Outcome::kRefused, Code(StatusCode::kUnavailable)};
    case NGHTTP2_CANCEL:
      return {Outcome::kReset, Code(StatusCode::kCancelled)};
    case H2Call::kLost:
      return {Outcome::kReset, Code(StatusCode::kUnavailable)};
    case NGHTTP2_PROTOCOL_ERROR:  // nghttp2's own, of an answer that is no HTTP
      return {Outcome::kMalformed, Code(StatusCode::kInternal)};
    default:
      return {Outcome::kReset, Code(StatusCode::kInternal)};
  }
}

std::string FailureText(const GrpcEnding& ending, const GrpcAnswerFields& fields) {
  if (!fields.has_code()) {
    return std::string(OutcomeName(ending.outcome));
  }
  const std::string words = protocol::PercentDecodeWherePossible(fields.message());
  return fmt::format("gRPC {}{}{}", StatusCodeName(static_cast<StatusCode>(ending.code)),
                     words.empty() ? "" : ": ", words);
}

}  // namespace headrace::load
