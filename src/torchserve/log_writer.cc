#include "torchserve/log_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <utility>

namespace headrace::torchserve {
namespace {

constexpr std::size_t kMessageByteSizeMax = 64 * 1024;
constexpr std::size_t kChunkByteSizeMax = 4096;  // that a writable pipe takes without blocking
constexpr int kPatienceMs = 100;

struct Form {
  std::string_view logger;  // as the console shows it
  std::string_view file;
  bool metrics = false;     // in the directory of the metrics
  bool short_form = false;  // time and message alone, in the file
};

constexpr Form kForms[] = {{"headrace", "ts_log", false, false},
                           {"ACCESS_LOG", "access_log", false, true},
                           {"MODEL_LOG", "model_log", false, false},
                           {"TS_METRICS", "ts_metrics", true, true},
                           {"MODEL_METRICS", "model_metrics", true, true}};

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kVerbose:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO ";
    case LogLevel::kWarning:
      return "WARN ";
    case LogLevel::kError:
      return "ERROR";
  }
  return "INFO ";
}

// One line: no control byte is left.
std::string Escaped(std::string_view text) {
  const bool cut = text.size() > kMessageByteSizeMax;
  text = text.substr(0, kMessageByteSizeMax);
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += ' ';
    } else {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}", byte);
    }
  }
  return cut ? line + "..." : line;
}

std::string ThreadName() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

// "2026-11-29T23:50:00,123", in local time as log4j has it.
void AppendTime(std::string& out, const std::timespec& time) {
  std::tm local{};
  localtime_r(&time.tv_sec, &local);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02},{:03}",
                 local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min,
                 local.tm_sec, time.tv_nsec / 1'000'000);
}

}  // namespace

LogWriter::LogWriter(LogWriterOptions options) : options_(std::move(options)) {
  file_of_.fill(-1);
  std::string trouble;
  for (std::size_t i = 0; i < kNameCount; ++i) {
    const Form& form = kForms[i];
    const std::string& directory =
        form.metrics ? options_.metrics_directory : options_.log_directory;
    if (directory.empty()) {
      continue;
    }
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) {
      trouble = fmt::format("there are no log files: the directory '{}' cannot be made: {}",
                            directory, error.message());
      continue;
    }
    file_of_[i] = static_cast<int>(files_.size());
    files_.emplace_back(fmt::format("{}/{}", directory, form.file), options_.files);
  }
  // Signals are others' to take, who may come to block them later than this thread begins.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!trouble.empty()) {
    Write(LogName::kServer, LogLevel::kWarning, {}, trouble);
  }
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  news_.notify_one();
  thread_.join();
}

void LogWriter::Write(LogName name, LogLevel level, std::string_view thread,
                      std::string_view message) {
  Add({.name = name,
       .level = level,
       .thread = thread.empty() ? ThreadName() : Escaped(thread),
       .message = Escaped(message)});
}

void LogWriter::WritePlain(std::string_view line) {
  Add({.plain = true, .thread = {}, .message = std::string(line)});
}

void LogWriter::Add(Entry entry) {
  clock_gettime(CLOCK_REALTIME, &entry.time);
  const std::size_t byte_size = sizeof(Entry) + entry.message.size() + entry.thread.size();
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_byte_size_ + byte_size > options_.waiting_byte_size_max) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    first = waiting_.empty();
    waiting_byte_size_ += byte_size;
    ++added_;
    waiting_.push_back(std::move(entry));
  }
  if (first) {
    news_.notify_one();
  }
}

void LogWriter::Flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = added_;
  written_.wait(lock, [&] { return done_ >= wanted; });
}

void LogWriter::Run() {
  pthread_setname_np(pthread_self(), "log");
  std::vector<Entry> entries;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      news_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) {
        return;
      }
      entries.swap(waiting_);
      waiting_byte_size_ = 0;
    }
    WriteAll(entries);
    {
      const std::lock_guard lock(mutex_);
      done_ += entries.size();
    }
    written_.notify_all();
    entries.clear();
  }
}

void LogWriter::Append(const Entry& entry, Outputs& outputs) {
  if (entry.plain) {
    outputs.console.append(entry.message).push_back('\n');
    return;
  }
  const auto index = static_cast<std::size_t>(entry.name);
  const Form& form = kForms[index];
  std::string time;
  AppendTime(time, entry.time);
  const std::string line = fmt::format("{} [{}] {} {} - {}\n", time, LevelName(entry.level),
                                       entry.thread, form.logger, entry.message);
  outputs.console.append(line);
  if (form.short_form) {
    fmt::format_to(std::back_inserter(outputs.files[index]), "{} - {}\n", time, entry.message);
  } else {
    outputs.files[index].append(line);
  }
}

void LogWriter::WriteAll(const std::vector<Entry>& entries) {
  Outputs outputs;
  for (const Entry& entry : entries) {
    Append(entry, outputs);
  }
  if (options_.console_fd >= 0 && !WriteConsole(outputs.console)) {
    dropped_.fetch_add(entries.size(), std::memory_order_relaxed);
  }
  for (std::size_t i = 0; i < kNameCount; ++i) {
    if (file_of_[i] >= 0 && !outputs.files[i].empty() &&
        !files_[static_cast<std::size_t>(file_of_[i])].Append(outputs.files[i],
                                                              entries.back().time.tv_sec)) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

bool LogWriter::WriteConsole(std::string_view text) {
  while (!text.empty()) {
    pollfd wanted{options_.console_fd, POLLOUT, 0};
    if (::poll(&wanted, 1, console_stuck_ ? 0 : kPatienceMs) != 1) {
      console_stuck_ = true;
      return false;
    }
    const ssize_t count =
        ::write(options_.console_fd, text.data(), std::min(text.size(), kChunkByteSizeMax));
    if (count < 0 && errno != EINTR) {
      return false;
    }
    console_stuck_ = false;
    text.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace headrace::torchserve
