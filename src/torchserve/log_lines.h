// Lines of TorchServe's logs, as its users and its benchmark read them (contracts, TorchServe 3.3).
#ifndef HEADRACE_TORCHSERVE_LOG_LINES_H_
#define HEADRACE_TORCHSERVE_LOG_LINES_H_

#include <cstdint>
#include <string_view>

#include "base/log.h"

namespace headrace::torchserve {

// Each has a file of its own; all go to standard output too.
enum class LogName : std::uint8_t {
  kServer,        // ts_log.log
  kAccess,        // access_log.log; console: ACCESS_LOG
  kModel,         // model_log.log; MODEL_LOG
  kTsMetrics,     // ts_metrics.log; TS_METRICS
  kModelMetrics,  // model_metrics.log; MODEL_METRICS
};

// Where they go. Implementations are thread-safe and block nobody. LogWriter (log_writer.h) is the
// one that writes them; tests give their own.
class LogLines {
 public:
  virtual ~LogLines() = default;

  // One entry: "<time> [<level>] <thread> <name> - <message>". `thread` stands for the thread's
  // name in TorchServe ("W-9000-squeezenet_1.0"); empty: the calling thread's. Line ends and other
  // control bytes in `message` are escaped; whoever puts texts of clients into it cuts them to
  // 1 KiB each (reliability D21).
  virtual void Write(LogName name, LogLevel level, std::string_view thread,
                     std::string_view message) = 0;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_LOG_LINES_H_
