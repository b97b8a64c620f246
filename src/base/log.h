// The server's log: one escaped line per entry, in Triton's format.
//
// Form (contracts: Triton 7.3): `I0708 12:00:00.123456 PID file.cc:LINE] "message"` in UTC, or
// ISO8601. Control bytes of a message are escaped and a message is cut at 1 KiB per field by the
// caller's choice of fields (D21), so that outside data can never forge an entry. Nothing is cut
// but a message of more than 64 KiB. INFO and verbose go to stdout, WARNING and ERROR to stderr, or
// all to one file that is fixed at start. Thread-safe. A target that cannot be written for 10 ms (a
// full pipe, a full disk) drops entries, which are counted, and holds nobody up until it takes
// entries again.
#ifndef HEADRACE_BASE_LOG_H_
#define HEADRACE_BASE_LOG_H_

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "base/status.h"

namespace headrace {

enum class LogLevel : std::uint8_t { kVerbose, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kDefault, kIso8601 };

struct LogOptions {
  bool info = true;
  bool warning = true;
  bool error = true;
  int verbose_level = 0;  // 0 = no verbose entries
  LogFormat format = LogFormat::kDefault;
  std::string file;  // empty = stdout and stderr
};

// Sets the process's log once, before other threads start. Fails if the file cannot be opened.
Status ConfigureLog(const LogOptions& options);
// Changes levels, verbosity and format while the server runs; `options.file` is not looked at
// (D21).
void SetLogLevels(const LogOptions& options);
// The settings in force.
LogOptions CurrentLogOptions();
bool LogEnabled(LogLevel level, int verbose_level = 1);
// Writes one entry. `file` may be a path; only its last part is printed.
void LogMessage(LogLevel level, const char* file, int line, std::string_view message);
// Writes an INFO heading followed by `text` as it is (tables at start-up). `text` is the server's
// own: whoever builds it puts what came from outside through EscapeForLog.
void LogTable(std::string_view heading, std::string_view text,
              std::source_location where = std::source_location::current());
// `text` with quotes, backslashes, control characters and bytes that are not UTF-8 escaped as in
// JSON. The result has at most `byte_size_max` bytes; one that was cut ends in "...", never inside
// of a character or an escape.
std::string EscapeForLog(std::string_view text, std::size_t byte_size_max = 1024);
// Entries that could not be written since the start.
std::uint64_t LogEntriesDropped();

}  // namespace headrace

#define HEADRACE_LOG_AT_(level, ...)                                               \
  do {                                                                             \
    if (::headrace::LogEnabled(level)) {                                           \
      ::headrace::LogMessage(level, __FILE__, __LINE__, fmt::format(__VA_ARGS__)); \
    }                                                                              \
  } while (false)
#define HEADRACE_LOG_VERBOSE(...) HEADRACE_LOG_AT_(::headrace::LogLevel::kVerbose, __VA_ARGS__)
#define HEADRACE_LOG_INFO(...) HEADRACE_LOG_AT_(::headrace::LogLevel::kInfo, __VA_ARGS__)
#define HEADRACE_LOG_WARNING(...) HEADRACE_LOG_AT_(::headrace::LogLevel::kWarning, __VA_ARGS__)
#define HEADRACE_LOG_ERROR(...) HEADRACE_LOG_AT_(::headrace::LogLevel::kError, __VA_ARGS__)

#endif  // HEADRACE_BASE_LOG_H_
