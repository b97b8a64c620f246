// Writes TorchServe's log: lines to standard output and to its five files (contracts, TorchServe
// 3.3).
#ifndef HEADRACE_TORCHSERVE_LOG_WRITER_H_
#define HEADRACE_TORCHSERVE_LOG_WRITER_H_

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "torchserve/log_file.h"
#include "torchserve/log_lines.h"

namespace headrace::torchserve {

struct LogWriterOptions {
  // Of access_log.log, model_log.log and ts_log.log; of ts_metrics.log and model_metrics.log. Made
  // if they are missing. Empty: no files.
  std::string log_directory = "logs", metrics_directory = "logs";
  int console_fd = 1;  // -1: none
  LogFileLimits files;
  std::size_t waiting_byte_size_max = std::size_t{8} << 20;  // more is dropped, and counted
};

// A thread of its own writes; who logs puts an entry into a list under a short lock. A target that
// takes nothing for a tenth of a second loses entries, which are counted, and holds nobody up.
class LogWriter final : public LogLines {
 public:
  explicit LogWriter(LogWriterOptions options);
  // Writes what waits.
  ~LogWriter() override;

  void Write(LogName name, LogLevel level, std::string_view thread,
             std::string_view message) override;
  // A line of standard output as it is ("Model server started.").
  void WritePlain(std::string_view line);
  // Blocks until all that was given before has been written or dropped.
  void Flush();
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kNameCount = 5;
  struct Entry {
    std::timespec time{};
    bool plain = false;
    LogName name = LogName::kServer;
    LogLevel level = LogLevel::kInfo;
    std::string thread, message;
  };
  struct Outputs {
    std::string console;
    std::array<std::string, kNameCount> files;
  };

  void Add(Entry entry);
  void Run();
  void WriteAll(const std::vector<Entry>& entries);
  static void Append(const Entry& entry, Outputs& outputs);
  bool WriteConsole(std::string_view text);

  const LogWriterOptions options_;
  std::vector<LogFile> files_;  // by LogName; empty where there are none
  std::array<int, kNameCount> file_of_{};
  bool console_stuck_ = false;
  std::atomic<std::uint64_t> dropped_{0};

  std::mutex mutex_;  // guards what follows
  std::condition_variable news_, written_;
  std::vector<Entry> waiting_;
  std::size_t waiting_byte_size_ = 0;
  std::uint64_t added_ = 0, done_ = 0;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_LOG_WRITER_H_
