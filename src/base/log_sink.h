// Takes the log's entries in place of standard output, standard error or the file.
#ifndef HEADRACE_BASE_LOG_SINK_H_
#define HEADRACE_BASE_LOG_SINK_H_

#include <memory>
#include <string_view>

#include "base/log.h"

namespace headrace {

// Thread-safe; blocks nobody.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // `file` is the last part of the path of the source. `message` is as it was given: whoever writes
  // it escapes it.
  virtual void Write(LogLevel level, std::string_view file, std::string_view message) = 0;
};

// From here on entries that the levels let through go to `sink`; null: to where they went before.
// Any thread, at any time.
void SetLogSink(std::shared_ptr<LogSink> sink);

}  // namespace headrace

#endif  // HEADRACE_BASE_LOG_SINK_H_
