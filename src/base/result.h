// A value or the reason why there is none.
#ifndef HEADRACE_BASE_RESULT_H_
#define HEADRACE_BASE_RESULT_H_

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace headrace {

// Holds either a `T` or a failed `Status`. Reading the value of a failure ends the process.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
    HEADRACE_CHECK(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    HEADRACE_CHECK(ok());
    return *value_;
  }
  const T& value() const& {
    HEADRACE_CHECK(ok());
    return *value_;
  }
  T&& value() && {
    HEADRACE_CHECK(ok());
    return *std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace headrace

#define HEADRACE_CONCAT_INNER_(a, b) a##b
#define HEADRACE_CONCAT_(a, b) HEADRACE_CONCAT_INNER_(a, b)

// `HEADRACE_ASSIGN_OR_RETURN(auto shape, ParseShape(json));`
#define HEADRACE_ASSIGN_OR_RETURN(declaration, expression) \
  HEADRACE_ASSIGN_OR_RETURN_(HEADRACE_CONCAT_(result_, __LINE__), declaration, expression)
#define HEADRACE_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                       \
  if (!result.ok()) {                                               \
    return result.status();                                         \
  }                                                                 \
  declaration = std::move(result).value()

#endif  // HEADRACE_BASE_RESULT_H_
