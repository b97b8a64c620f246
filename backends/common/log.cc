#include "common/log.h"

namespace headrace::backend {

void Log(TRITONSERVER_LogLevel level, const char* file, int line, const std::string& message) {
  // A log that cannot be written has nowhere to be reported.
  Error ignored(TRITONSERVER_LogMessage(level, file, line, message.c_str()));
}

void LogIfError(const char* file, int line, const char* what, const Error& error) {
  if (!error.ok()) {
    Log(TRITONSERVER_LOG_ERROR, file, line, fmt::format("{}: {}", what, error.message()));
  }
}

}  // namespace headrace::backend
