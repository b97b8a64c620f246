// Traces as Triton writes them: a file that holds one JSON array.
#ifndef HEADRACE_TRACING_TRACE_FILE_H_
#define HEADRACE_TRACING_TRACE_FILE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "tracing/trace_data.h"

namespace headrace::tracing {

// Contracts, Triton 6.3: objects {"id", "model_name", "model_version", "request_id"?,
// "parent_id"?},
// {"id", "timestamps": [{"name", "ns"}]} and {"id", "activity", "tensor": {...}}. With a log
// frequency of N, each N traces make a file "<file>.<number>"; otherwise all go to "<file>", which
// is a complete array at every moment. Not thread-safe.
class TraceFile final : public TraceSink {
 public:
  // Creates the file, so that a path that cannot be written is known at the start.
  // INVALID_ARGUMENT with the system's reason.
  static Result<std::unique_ptr<TraceFile>> Create(const std::string& path);
  ~TraceFile() override;

  void Take(TraceData trace) override;
  Nanos Flush(Nanos now, bool all) override;

 private:
  struct Gathered {
    std::string json;  // objects with commas between them
    std::uint64_t trace_count = 0;
  };

  TraceFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  void AppendToFile();
  void WriteNumbered(Gathered gathered);
  void LogOnce(const std::string& path);

  const std::string path_;
  UniqueFd fd_;
  std::uint64_t end_ = 0;  // of the file without its closing bracket; 0: nothing is in it
  Gathered open_;          // for the one file
  std::map<std::uint64_t, Gathered> numbered_;  // by log frequency
  std::uint64_t next_number_ = 0;
  bool failure_logged_ = false;
};

// One trace as JSON objects with commas between them.
std::string TraceJson(const TraceData& trace);

}  // namespace headrace::tracing

#endif  // HEADRACE_TRACING_TRACE_FILE_H_
