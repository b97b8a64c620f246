#include "base/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <utility>

#include "base/log_sink.h"
#include "base/unique_fd.h"

namespace headrace {
namespace {

constexpr std::size_t kMessageByteSizeMax = 64 * 1024;
constexpr int kPatienceMs = 10;

// A pipe that says it is writable takes this much without blocking.
constexpr std::size_t kChunkByteSizeMax = 4096;

bool WaitWritable(int fd, int timeout_ms) {
  pollfd wanted{fd, POLLOUT, 0};
  return ::poll(&wanted, 1, timeout_ms) == 1 && (wanted.revents & POLLOUT) != 0;
}

// The process's log. The one object of its kind, since an entry may come from anywhere.
class Log {
 public:
  static Log& Instance() {
    static Log* log = new Log;  // never destroyed: entries may come until the very end
    return *log;
  }

  Status Configure(const LogOptions& options) {
    UniqueFd file;
    if (!options.file.empty()) {
      file.Reset(::open(options.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
      if (!file) {
        return InvalidArgument("cannot open log file '{}': {}", EscapeForLog(options.file),
                               std::strerror(errno));
      }
    }
    std::lock_guard lock(mutex_);
    file_ = std::move(file);
    options_.file = options.file;
    StoreLevels(options);
    return OkStatus();
  }

  void SetLevels(const LogOptions& options) {
    std::lock_guard lock(mutex_);
    StoreLevels(options);
  }

  LogOptions options() {
    std::lock_guard lock(mutex_);
    return options_;
  }

  bool Enabled(LogLevel level, int verbose_level) const {
    if (level == LogLevel::kVerbose) {
      return verbose_level_.load(std::memory_order_relaxed) >= verbose_level;
    }
    return (levels_.load(std::memory_order_relaxed) & Bit(level)) != 0;
  }

  void SetSink(std::shared_ptr<LogSink> sink) {
    std::lock_guard lock(mutex_);
    sink_.swap(sink);
  }

  // Null: entries are written here.
  std::shared_ptr<LogSink> sink() {
    std::lock_guard lock(mutex_);
    return sink_;
  }

  LogFormat format() const { return format_.load(std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  // All of `entry` in one go, or none: a target that does not take it in a few milliseconds must
  // not hold the server up.
  void Write(LogLevel level, std::string_view entry) {
    std::lock_guard lock(mutex_);
    const bool severe = level == LogLevel::kWarning || level == LogLevel::kError;
    const int fd = file_ ? file_.get() : severe ? STDERR_FILENO : STDOUT_FILENO;
    Target& target = severe ? severe_ : plain_;
    if (WriteAll(fd, entry, target)) {
      target.stuck = false;
    } else {
      target.stuck = true;
      dropped_.fetch_add(1, std::memory_order_relaxed);
    }
  }

 private:
  struct Target {
    bool stuck = false;    // the last entry did not get through: do not wait for it again
    bool cut_off = false;  // an entry ended in its middle: begin the next one on a line of its own
  };

  static constexpr unsigned Bit(LogLevel level) { return 1u << static_cast<unsigned>(level); }

  void StoreLevels(const LogOptions& options) {
    options_.info = options.info;
    options_.warning = options.warning;
    options_.error = options.error;
    options_.verbose_level = options.verbose_level;
    options_.format = options.format;
    levels_.store((options.info ? Bit(LogLevel::kInfo) : 0) |
                      (options.warning ? Bit(LogLevel::kWarning) : 0) |
                      (options.error ? Bit(LogLevel::kError) : 0),
                  std::memory_order_relaxed);
    verbose_level_.store(options.verbose_level, std::memory_order_relaxed);
    format_.store(options.format, std::memory_order_relaxed);
  }

  static bool WriteAll(int fd, std::string_view entry, Target& target) {
    const std::string on_new_line = target.cut_off ? fmt::format("\n{}", entry) : std::string();
    const std::string_view all = target.cut_off ? on_new_line : entry;
    std::string_view rest = all;
    while (!rest.empty() && WaitWritable(fd, target.stuck ? 0 : kPatienceMs)) {
      const ssize_t n = ::write(fd, rest.data(), std::min(rest.size(), kChunkByteSizeMax));
      if (n > 0) {
        rest.remove_prefix(static_cast<std::size_t>(n));
      } else if (n == 0 || errno != EINTR) {
        break;
      }
    }
    if (rest.size() < all.size()) {
      target.cut_off = !rest.empty();
    }
    return rest.empty();
  }

  std::atomic<unsigned> levels_{Bit(LogLevel::kInfo) | Bit(LogLevel::kWarning) |
                                Bit(LogLevel::kError)};
  std::atomic<int> verbose_level_{0};
  std::atomic<LogFormat> format_{LogFormat::kDefault};
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;  // guards what follows, and keeps entries whole
  LogOptions options_;
  std::shared_ptr<LogSink> sink_;
  UniqueFd file_;
  Target plain_;
  Target severe_;
};

char Letter(LogLevel level) {
  switch (level) {
    case LogLevel::kWarning:
      return 'W';
    case LogLevel::kError:
      return 'E';
    case LogLevel::kVerbose:
    case LogLevel::kInfo:
      return 'I';
  }
  return 'I';
}

std::string_view BaseName(std::string_view file) {
  return file.substr(file.rfind('/') == file.npos ? 0 : file.rfind('/') + 1);
}

using LineBuffer = fmt::basic_memory_buffer<char, 512>;

// `I0708 12:00:00.123456 PID file.cc:LINE] `, or `2024-07-08T12:00:00Z I PID file.cc:LINE] `.
void AppendHead(LineBuffer& out, LogLevel level, std::string_view file, int line) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc;
  gmtime_r(&now.tv_sec, &utc);
  file = BaseName(file);
  auto at = fmt::appender(out);
  if (Log::Instance().format() == LogFormat::kIso8601) {
    fmt::format_to(at, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z {} {} {}:{}] ", utc.tm_year + 1900,
                   utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, Letter(level),
                   ::getpid(), file, line);
  } else {
    fmt::format_to(at, "{}{:02}{:02} {:02}:{:02}:{:02}.{:06} {} {}:{}] ", Letter(level),
                   utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                   now.tv_nsec / 1000, ::getpid(), file, line);
  }
}

}  // namespace

Status ConfigureLog(const LogOptions& options) { return Log::Instance().Configure(options); }

void SetLogSink(std::shared_ptr<LogSink> sink) { Log::Instance().SetSink(std::move(sink)); }

void SetLogLevels(const LogOptions& options) { Log::Instance().SetLevels(options); }

LogOptions CurrentLogOptions() { return Log::Instance().options(); }

bool LogEnabled(LogLevel level, int verbose_level) {
  return Log::Instance().Enabled(level, verbose_level);
}

void LogMessage(LogLevel level, const char* file, int line, std::string_view message) {
  if (const std::shared_ptr<LogSink> sink = Log::Instance().sink(); sink != nullptr) {
    sink->Write(level, BaseName(file), message);
    return;
  }
  LineBuffer entry;
  AppendHead(entry, level, file, line);
  entry.push_back('"');
  entry.append(EscapeForLog(message, kMessageByteSizeMax));
  entry.append(std::string_view("\"\n"));
  Log::Instance().Write(level, {entry.data(), entry.size()});
}

void LogTable(std::string_view heading, std::string_view text, std::source_location where) {
  if (!LogEnabled(LogLevel::kInfo)) {
    return;
  }
  if (const std::shared_ptr<LogSink> sink = Log::Instance().sink(); sink != nullptr) {
    sink->Write(LogLevel::kInfo, BaseName(where.file_name()), fmt::format("{}\n{}", heading, text));
    return;
  }
  LineBuffer entry;
  AppendHead(entry, LogLevel::kInfo, where.file_name(), static_cast<int>(where.line()));
  if (!heading.empty()) {
    entry.push_back('"');
    entry.append(EscapeForLog(heading, kMessageByteSizeMax));
    entry.push_back('"');
  }
  entry.push_back('\n');
  entry.append(text);
  // A blank line behind the table, as Triton has it.
  entry.append(std::string_view(text.ends_with('\n') ? "\n" : "\n\n"));
  Log::Instance().Write(LogLevel::kInfo, {entry.data(), entry.size()});
}

std::uint64_t LogEntriesDropped() { return Log::Instance().dropped(); }

}  // namespace headrace
