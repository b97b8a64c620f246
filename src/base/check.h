// Assertions that stay on in release: a broken invariant ends the process after one line, never
// with a wrong answer.
#ifndef HEADRACE_BASE_CHECK_H_
#define HEADRACE_BASE_CHECK_H_

namespace headrace {

// Prints `file:line: check failed: expression` to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace headrace

#define HEADRACE_CHECK(condition)                              \
  do {                                                         \
    if (!(condition)) [[unlikely]] {                           \
      ::headrace::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                          \
  } while (false)

#endif  // HEADRACE_BASE_CHECK_H_
