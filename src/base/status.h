// The outcome of an operation, without exceptions.
//
// `Status` is one pointer; success is the null pointer and costs nothing. A failure carries a
// canonical code and a message that says what went wrong, where (field path, model:version) and
// what to do about it. Thread-safety: a value type; distinct objects may be used from distinct
// threads.
#ifndef HEADRACE_BASE_STATUS_H_
#define HEADRACE_BASE_STATUS_H_

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace headrace {

// The canonical codes, with gRPC's numbering. `ToHttpStatus` and `ToGrpcStatus` (protocol/error.h)
// map them.
enum class StatusCode : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The code's canonical upper-case name, for example "INVALID_ARGUMENT".
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // success
  Status(StatusCode code, std::string message);

  Status(const Status& other) : rep_(other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr) {}
  Status& operator=(const Status& other) {
    rep_ = other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr;
    return *this;
  }
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;

  bool ok() const { return rep_ == nullptr; }
  StatusCode code() const { return rep_ ? rep_->code : StatusCode::kOk; }
  // Empty when ok.
  const std::string& message() const;
  // "OK", or "INVALID_ARGUMENT: message".
  std::string ToString() const;
  // The same failure with `prefix` in front of its message; success stays success.
  Status WithPrefix(std::string_view prefix) const;

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  std::unique_ptr<Rep> rep_;
};

inline Status OkStatus() { return Status(); }

// Shorthands: `return InvalidArgument("input '{}' has no data", name);`
#define HEADRACE_STATUS_SHORTHAND(Name)                                                   \
  template <typename... Args>                                                             \
  Status Name(fmt::format_string<Args...> format, Args&&... args) {                       \
    return Status(StatusCode::k##Name, fmt::format(format, std::forward<Args>(args)...)); \
  }
HEADRACE_STATUS_SHORTHAND(Cancelled)
HEADRACE_STATUS_SHORTHAND(Unknown)
HEADRACE_STATUS_SHORTHAND(InvalidArgument)
HEADRACE_STATUS_SHORTHAND(DeadlineExceeded)
HEADRACE_STATUS_SHORTHAND(NotFound)
HEADRACE_STATUS_SHORTHAND(AlreadyExists)
HEADRACE_STATUS_SHORTHAND(PermissionDenied)
HEADRACE_STATUS_SHORTHAND(ResourceExhausted)
HEADRACE_STATUS_SHORTHAND(FailedPrecondition)
HEADRACE_STATUS_SHORTHAND(OutOfRange)
HEADRACE_STATUS_SHORTHAND(Unimplemented)
HEADRACE_STATUS_SHORTHAND(Internal)
HEADRACE_STATUS_SHORTHAND(Unavailable)
HEADRACE_STATUS_SHORTHAND(Unauthenticated)
#undef HEADRACE_STATUS_SHORTHAND

}  // namespace headrace

// Returns the failure to the caller, or goes on.
#define HEADRACE_RETURN_IF_ERROR(expression)                        \
  do {                                                              \
    if (::headrace::Status status_ = (expression); !status_.ok()) { \
      return status_;                                               \
    }                                                               \
  } while (false)

#endif  // HEADRACE_BASE_STATUS_H_
