#include "torchserve/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdio>
#include <utility>

#include "base/write_all.h"

namespace headrace::torchserve {
namespace {

// A number for the local day of a time.
int DayOf(std::time_t time) {
  std::tm local{};
  localtime_r(&time, &local);
  return local.tm_year * 366 + local.tm_yday;
}

}  // namespace

LogFile::LogFile(std::string stem, LogFileLimits limits)
    : stem_(std::move(stem)), limits_(limits) {}

std::string LogFile::Name(int number) const {
  return number == 0 ? stem_ + ".log" : fmt::format("{}.{}.log", stem_, number);
}

bool LogFile::Open(std::time_t now) {
  file_.Reset(
      ::open(Name(0).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info {};
  if (!file_ || ::fstat(file_.get(), &info) != 0) {
    return false;
  }
  byte_size_ = static_cast<std::uint64_t>(info.st_size);
  day_ = DayOf(byte_size_ == 0 ? now : info.st_mtim.tv_sec);
  return true;
}

// What is there no longer, or cannot be renamed, is no reason to lose lines.
void LogFile::Roll() {
  file_.Reset();
  for (int number = limits_.kept_count - 1; number >= 0; --number) {
    std::rename(Name(number).c_str(), Name(number + 1).c_str());
  }
}

bool LogFile::Append(std::string_view lines, std::time_t now) {
  if (!file_ && !Open(now)) {
    return false;
  }
  const bool full = byte_size_ > 0 && byte_size_ + lines.size() > limits_.byte_size_max;
  if (full || DayOf(now) != day_) {
    Roll();
    if (!Open(now)) {
      return false;
    }
  }
  byte_size_ += lines.size();
  if (WriteAll(file_.get(), lines)) {
    return true;
  }
  file_.Reset();
  return false;
}

}  // namespace headrace::torchserve
