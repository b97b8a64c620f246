#include "telemetry/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "base/checked_math.h"
#include "base/log.h"

namespace headrace::telemetry {
namespace {

// Two scrapes in a row see too few clock ticks between them for a meaningful share.
constexpr Nanos kLookIntervalMin = 100 * kMillisecond;

std::optional<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) {
    return std::nullopt;
  }
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), file.get())) {
    text.append(part.data(), n);
  }
  return text;
}

std::vector<std::string_view> Fields(std::string_view text) {
  std::vector<std::string_view> fields;
  constexpr std::string_view kBlanks = " \t\n";
  for (std::size_t begin; (begin = text.find_first_not_of(kBlanks)) != text.npos;) {
    text.remove_prefix(begin);
    const std::size_t size = std::min(text.find_first_of(kBlanks), text.size());
    fields.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return fields;
}

// The number behind `key` in text of the form "Key:   number kB".
std::optional<std::uint64_t> KilobytesOf(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == text.npos) {
    return std::nullopt;
  }
  const std::string_view line = text.substr(at + key.size(), text.find('\n', at) - at - key.size());
  const auto fields = Fields(line);
  const auto value = fields.empty() ? std::nullopt : ParseDecimal<std::uint64_t>(fields[0]);
  return value ? CheckedMultiply<std::uint64_t>(*value, 1024) : std::nullopt;
}

std::optional<std::uint64_t> CountEntries(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), &::closedir);
  if (entries == nullptr) {
    return std::nullopt;
  }
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    count += entry->d_name[0] != '.' ? 1 : 0;
  }
  return count;
}

// Seconds since 1970 at which the machine started.
std::optional<std::uint64_t> BootTime(std::string_view stat) {
  constexpr std::string_view kKey = "\nbtime ";
  const std::size_t at = stat.find(kKey);
  if (at == stat.npos) {
    return std::nullopt;
  }
  const auto fields = Fields(stat.substr(at + kKey.size(), 24));
  return fields.empty() ? std::nullopt : ParseDecimal<std::uint64_t>(fields[0]);
}

// The fields of /proc/self/stat from the third on, behind the program's name, which may hold blanks
// and brackets.
struct SelfStat {
  explicit SelfStat(std::string_view text) {
    const std::size_t bracket = text.rfind(')');
    if (bracket != text.npos) {
      fields = Fields(text.substr(bracket + 1));
    }
  }
  // By the number that proc(5) gives to the field.
  std::optional<std::uint64_t> Field(std::size_t number) const {
    const std::size_t index = number - 3;
    return index < fields.size() ? ParseDecimal<std::uint64_t>(fields[index]) : std::nullopt;
  }
  std::vector<std::string_view> fields;
};

template <typename T>
void Single(PrometheusWriter& writer, std::string_view name, MetricKind kind, std::string_view help,
            std::optional<T> value) {
  if (value) {
    writer.Family(name, kind, help);
    writer.Sample({}, *value);
  }
}

}  // namespace

ProcessMetrics::ProcessMetrics(const Clock& clock, ProcessMetricsOptions options)
    : clock_(clock), options_(std::move(options)) {
  last_times_ = ReadCpuTimes().value_or(CpuTimes{});
  last_look_ = clock_.Now();
}

void ProcessMetrics::Collect(PrometheusWriter& writer) const {
  if (options_.cpu_metrics) {
    CollectMachine(writer);
  }
  CollectProcess(writer);
  Single<std::uint64_t>(writer, "headrace_log_entries_dropped_total", MetricKind::kCounter,
                        "Log entries that could not be written", LogEntriesDropped());
}

std::optional<ProcessMetrics::CpuTimes> ProcessMetrics::ReadCpuTimes() const {
  const auto stat = ReadFile(options_.proc_root + "/stat");
  if (!stat || !stat->starts_with("cpu ")) {
    return std::nullopt;
  }
  // user nice system idle iowait irq softirq steal; guest times are in user and nice already.
  const auto fields = Fields(std::string_view(*stat).substr(0, stat->find('\n')));
  CpuTimes times;
  for (std::size_t i = 1; i < fields.size() && i <= 8; ++i) {
    const auto ticks = ParseDecimal<std::uint64_t>(fields[i]);
    if (!ticks) {
      return std::nullopt;
    }
    times.total += *ticks;
    times.busy += i == 4 || i == 5 ? 0 : *ticks;
  }
  return times;
}

double ProcessMetrics::Utilization() const {
  std::lock_guard lock(mutex_);
  const Nanos now = clock_.Now();
  const auto times = ReadCpuTimes();
  if (now - last_look_ < kLookIntervalMin || !times || times->total <= last_times_.total) {
    return utilization_;
  }
  const auto busy = static_cast<double>(times->busy) - static_cast<double>(last_times_.busy);
  const auto total = static_cast<double>(times->total - last_times_.total);
  utilization_ = std::clamp(busy / total, 0.0, 1.0);
  last_times_ = *times;
  last_look_ = now;
  return utilization_;
}

void ProcessMetrics::CollectMachine(PrometheusWriter& writer) const {
  Single<double>(writer, "nv_cpu_utilization", MetricKind::kGauge,
                 "CPU utilization rate [0.0 - 1.0]", Utilization());
  const std::string memory = ReadFile(options_.proc_root + "/meminfo").value_or("");
  const auto total = KilobytesOf(memory, "MemTotal:");
  const auto available = KilobytesOf(memory, "MemAvailable:");
  Single(writer, "nv_cpu_memory_total_bytes", MetricKind::kGauge,
         "CPU total memory (RAM), in bytes", total);
  if (total && available && *available <= *total) {
    Single<std::uint64_t>(writer, "nv_cpu_memory_used_bytes", MetricKind::kGauge,
                          "CPU used memory (RAM), in bytes", *total - *available);
  }
}

void ProcessMetrics::CollectProcess(PrometheusWriter& writer) const {
  const std::string text = ReadFile(options_.proc_root + "/self/stat").value_or("");
  const SelfStat stat(text);
  const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page_byte_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));

  const auto user_ticks = stat.Field(14);
  const auto system_ticks = stat.Field(15);
  if (user_ticks && system_ticks) {
    Single<double>(writer, "process_cpu_seconds_total", MetricKind::kCounter,
                   "User and system CPU time spent, in seconds",
                   static_cast<double>(*user_ticks + *system_ticks) / ticks_per_second);
  }
  Single(writer, "process_threads", MetricKind::kGauge, "Number of threads", stat.Field(20));
  const auto boot_time = BootTime(ReadFile(options_.proc_root + "/stat").value_or(""));
  if (const auto start_ticks = stat.Field(22); boot_time && start_ticks) {
    Single<double>(
        writer, "process_start_time_seconds", MetricKind::kGauge,
        "Start of the process, in seconds since 1970",
        static_cast<double>(*boot_time) + static_cast<double>(*start_ticks) / ticks_per_second);
  }
  Single(writer, "process_virtual_memory_bytes", MetricKind::kGauge,
         "Size of virtual memory, in bytes", stat.Field(23));
  if (const auto pages = stat.Field(24)) {
    Single(writer, "process_resident_memory_bytes", MetricKind::kGauge,
           "Size of resident memory, in bytes",
           CheckedMultiply<std::uint64_t>(*pages, page_byte_size));
  }
  Single(writer, "process_open_fds", MetricKind::kGauge, "Number of open file descriptors",
         CountEntries(options_.proc_root + "/self/fd"));
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    Single<std::uint64_t>(writer, "process_max_fds", MetricKind::kGauge,
                          "Largest number of open file descriptors", files.rlim_cur);
  }
}

}  // namespace headrace::telemetry
