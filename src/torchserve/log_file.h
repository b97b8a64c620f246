// A log file that begins anew when it is full or the day is over (contracts, TorchServe 3.3).
#ifndef HEADRACE_TORCHSERVE_LOG_FILE_H_
#define HEADRACE_TORCHSERVE_LOG_FILE_H_

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace headrace::torchserve {

struct LogFileLimits {
  std::uint64_t byte_size_max = std::uint64_t{100} << 20;
  int kept_count = 5;  // older ones: "name.1.log" is the newest of them
};

// Used by one thread. Files are for their owner alone.
class LogFile {
 public:
  // `stem`: the path without ".log". Opened with the first line.
  LogFile(std::string stem, LogFileLimits limits);

  // Appends whole lines that were written at `now`. False: they are lost (the disk is full, the
  // directory is gone); the next call tries anew.
  bool Append(std::string_view lines, std::time_t now);

 private:
  bool Open(std::time_t now);
  void Roll();
  std::string Name(int number) const;

  const std::string stem_;
  const LogFileLimits limits_;
  UniqueFd file_;
  std::uint64_t byte_size_ = 0;
  int day_ = 0;  // in which its first line was written
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_LOG_FILE_H_
