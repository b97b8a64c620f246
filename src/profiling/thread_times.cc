#include "profiling/thread_times.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace headrace::profiling {
namespace {

namespace fs = std::filesystem;

std::uint64_t Migrations(const fs::path& thread) {
  std::ifstream file(thread / "sched");
  std::string line;
  constexpr std::string_view kName = "se.nr_migrations";
  while (std::getline(file, line)) {
    if (line.starts_with(kName)) {
      const std::size_t digits = line.find_last_of(' ') + 1;
      std::uint64_t count = 0;
      std::from_chars(line.data() + digits, line.data() + line.size(), count);
      return count;
    }
  }
  return 0;
}

}  // namespace

std::map<std::int64_t, ThreadTime> ReadThreadTimes(const std::string& task_directory) {
  std::map<std::int64_t, ThreadTime> times;
  std::error_code error;
  for (fs::directory_iterator entry(task_directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string number = entry->path().filename().string();
    std::int64_t id = 0;
    const auto [stop, failure] = std::from_chars(number.data(), number.data() + number.size(), id);
    if (failure != std::errc() || stop != number.data() + number.size()) {
      continue;
    }
    ThreadTime time;
    std::ifstream statistics(entry->path() / "schedstat");
    if (!(statistics >> time.ran >> time.waited)) {
      continue;
    }
    std::ifstream name(entry->path() / "comm");
    std::getline(name, time.name);
    time.migrations = Migrations(entry->path());
    times.emplace(id, std::move(time));
  }
  return times;
}

std::vector<ThreadUse> ThreadUseBetween(const std::map<std::int64_t, ThreadTime>& before,
                                        const std::map<std::int64_t, ThreadTime>& after) {
  std::vector<ThreadUse> uses;
  for (const auto& [id, time] : after) {
    const auto known = before.find(id);
    const ThreadTime start = known == before.end() ? ThreadTime() : known->second;
    ThreadUse use{.id = id,
                  .time = {.name = time.name,
                           .ran = time.ran - start.ran,
                           .waited = time.waited - start.waited,
                           .migrations = time.migrations - start.migrations}};
    if (use.time.ran > 0 || use.time.waited > 0) {
      uses.push_back(std::move(use));
    }
  }
  std::sort(uses.begin(), uses.end(),
            [](const ThreadUse& a, const ThreadUse& b) { return a.time.ran > b.time.ran; });
  return uses;
}

}  // namespace headrace::profiling
