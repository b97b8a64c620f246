// Entries for the server's log: HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_INFO, "loaded {}", name);
#ifndef HEADRACE_BACKENDS_COMMON_LOG_H_
#define HEADRACE_BACKENDS_COMMON_LOG_H_

#include <fmt/format.h>

#include <string>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

void Log(TRITONSERVER_LogLevel level, const char* file, int line, const std::string& message);
// Logs a failure that nobody else can be told of; success is not logged.
void LogIfError(const char* file, int line, const char* what, const Error& error);

}  // namespace headrace::backend

#define HEADRACE_BACKEND_LOG(level, ...)                                             \
  do {                                                                               \
    if (TRITONSERVER_LogIsEnabled(level)) {                                          \
      ::headrace::backend::Log(level, __FILE__, __LINE__, fmt::format(__VA_ARGS__)); \
    }                                                                                \
  } while (false)
#define HEADRACE_BACKEND_LOG_IF_ERROR(expression, what) \
  ::headrace::backend::LogIfError(__FILE__, __LINE__, what, ::headrace::backend::Error(expression))

#endif  // HEADRACE_BACKENDS_COMMON_LOG_H_
