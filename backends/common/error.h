// Failures inside a backend, and the way to hand them to the server.
#ifndef HEADRACE_BACKENDS_COMMON_ERROR_H_
#define HEADRACE_BACKENDS_COMMON_ERROR_H_

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "triton_abi.h"

namespace headrace::backend {

// Owns one TRITONSERVER_Error; none means success. Every call of the interface converts to it, so
// that `HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelName(model, &name))` frees what it does
// not pass on.
class [[nodiscard]] Error {
 public:
  Error() = default;
  Error(TRITONSERVER_Error* error)
      : error_(error) {}  // NOLINT: implicit on purpose; takes ownership
  Error(TRITONSERVER_Error_Code code, const std::string& message)
      : error_(TRITONSERVER_ErrorNew(code, message.c_str())) {}

  bool ok() const { return error_ == nullptr; }
  // Requires: not ok.
  TRITONSERVER_Error_Code code() const { return TRITONSERVER_ErrorCode(error_.get()); }
  const char* message() const { return TRITONSERVER_ErrorMessage(error_.get()); }
  // Borrowed; null when ok.
  TRITONSERVER_Error* get() const { return error_.get(); }
  // For the interface's boundary: the caller owns the error.
  TRITONSERVER_Error* Release() { return error_.release(); }
  // A second error with the same code and text.
  Error Copy() const { return ok() ? Error() : Error(code(), message()); }

 private:
  struct Delete {
    void operator()(TRITONSERVER_Error* error) const { TRITONSERVER_ErrorDelete(error); }
  };
  std::unique_ptr<TRITONSERVER_Error, Delete> error_;
};

// Shorthands: `return InvalidArgument("input '{}' has no data", name);`
#define HEADRACE_BACKEND_ERROR_SHORTHAND(Name, code)                      \
  template <typename... Args>                                             \
  Error Name(fmt::format_string<Args...> format, Args&&... args) {        \
    return Error(code, fmt::format(format, std::forward<Args>(args)...)); \
  }
HEADRACE_BACKEND_ERROR_SHORTHAND(InvalidArgument, TRITONSERVER_ERROR_INVALID_ARG)
HEADRACE_BACKEND_ERROR_SHORTHAND(Internal, TRITONSERVER_ERROR_INTERNAL)
HEADRACE_BACKEND_ERROR_SHORTHAND(NotFound, TRITONSERVER_ERROR_NOT_FOUND)
HEADRACE_BACKEND_ERROR_SHORTHAND(Unavailable, TRITONSERVER_ERROR_UNAVAILABLE)
HEADRACE_BACKEND_ERROR_SHORTHAND(Unsupported, TRITONSERVER_ERROR_UNSUPPORTED)
#undef HEADRACE_BACKEND_ERROR_SHORTHAND

// Runs `body`, which returns an Error; an exception becomes INTERNAL. Nothing thrown may cross the
// C interface.
template <typename Body>
Error Guarded(const char* what, Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Unavailable("{}: out of memory", what);
  } catch (const std::exception& exception) {
    return Internal("{}: {}", what, exception.what());
  } catch (...) {
    return Internal("{}: unknown exception", what);
  }
}

}  // namespace headrace::backend

// Returns the failure to the caller, or goes on. The expression is an Error or a
// TRITONSERVER_Error*.
#define HEADRACE_BACKEND_RETURN_IF_ERROR(expression)                               \
  do {                                                                             \
    if (::headrace::backend::Error error_or_ok_(expression); !error_or_ok_.ok()) { \
      return error_or_ok_;                                                         \
    }                                                                              \
  } while (false)

#endif  // HEADRACE_BACKENDS_COMMON_ERROR_H_
