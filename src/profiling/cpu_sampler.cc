#include "profiling/cpu_sampler.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/checked_math.h"
#include "base/unique_fd.h"

namespace headrace::profiling {
namespace {

namespace fs = std::filesystem;

// A power of two, as the kernel wants it: room for half a second of samples.
constexpr std::size_t kDataPages = 4;

int OpenPerfEvent(const CpuSampler::Wanted& wanted) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.sample_period = static_cast<std::uint64_t>(wanted.period);
  attributes.sample_type = kPerfSampleType;
  attributes.exclude_kernel = wanted.with_kernel ? 0 : 1;
  attributes.exclude_hv = 1;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;
  const long fd = syscall(SYS_perf_event_open, &attributes, static_cast<pid_t>(wanted.thread), -1,
                          -1, PERF_FLAG_FD_CLOEXEC);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string Paranoid() { return FirstLine("/proc/sys/kernel/perf_event_paranoid"); }

bool IsRefusal(int error) { return error == EACCES || error == EPERM; }

Nanos PeriodOf(Nanos duration, int core_count) {
  const Nanos all = duration * std::max(1, core_count);
  return std::max(CpuSampler::kPeriodMin,
                  all / static_cast<Nanos>(CpuSampler::kSampleCountMax) + 1);
}

}  // namespace

// The ring that the kernel writes, and the event that does.
class CpuSampler::Buffer {
 public:
  // Null where it cannot be mapped; errno says why.
  static std::unique_ptr<Buffer> Map(UniqueFd event) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t byte_size = (1 + kDataPages) * page;
    void* const memory =
        mmap(nullptr, byte_size, PROT_READ | PROT_WRITE, MAP_SHARED, event.get(), 0);
    if (memory == MAP_FAILED) {
      return nullptr;
    }
    return std::unique_ptr<Buffer>(new Buffer(std::move(event), memory, byte_size, page));
  }
  ~Buffer() { munmap(memory_, byte_size_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // All records that are there, without a break.
  std::vector<std::byte> Take() {
    auto* const control = static_cast<perf_event_mmap_page*>(memory_);
    const auto* const data = static_cast<const std::byte*>(memory_) + page_;
    const std::size_t size = byte_size_ - page_;
    const std::uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
    const std::uint64_t tail = control->data_tail;
    if (head == tail) {
      return {};
    }
    std::vector<std::byte> records(std::min<std::uint64_t>(head - tail, size));
    const auto begin = static_cast<std::size_t>(tail % size);
    const std::size_t before_end = std::min(records.size(), size - begin);
    std::memcpy(records.data(), data + begin, before_end);
    std::memcpy(records.data() + before_end, data, records.size() - before_end);
    __atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
    return records;
  }

 private:
  Buffer(UniqueFd event, void* memory, std::size_t byte_size, std::size_t page)
      : event_(std::move(event)), memory_(memory), byte_size_(byte_size), page_(page) {}

  const UniqueFd event_;
  void* const memory_;
  const std::size_t byte_size_;
  const std::size_t page_;
};

CpuSampler::CpuSampler(Nanos duration, int core_count, Open open, std::string task_directory)
    : open_(open != nullptr ? std::move(open) : OpenPerfEvent),
      task_directory_(std::move(task_directory)) {
  taken_.period = PeriodOf(duration, core_count);
  taken_.with_kernel = true;  // until it is refused
}

CpuSampler::~CpuSampler() = default;

void CpuSampler::OpenOf(std::int64_t thread) {
  const auto open = [&] {
    return open_({.thread = thread, .period = taken_.period, .with_kernel = taken_.with_kernel});
  };
  int fd = open();
  if (fd < 0 && IsRefusal(-fd) && taken_.with_kernel && buffers_.empty()) {
    taken_.with_kernel = false;
    fd = open();
  }
  if (fd == -ESRCH) {
    return;  // it has ended meanwhile
  }
  if (fd < 0) {
    refused_ = true;
    taken_.note = PerfRefusal("perf_event_open", -fd, Paranoid());
    return;
  }
  std::unique_ptr<Buffer> buffer = Buffer::Map(UniqueFd(fd));
  if (buffer == nullptr) {
    refused_ = true;
    taken_.note = PerfRefusal("mmap", errno, Paranoid());
    return;
  }
  taken_.thread_names[thread] =
      FirstLine(fs::path(task_directory_) / std::to_string(thread) / "comm");
  buffers_.emplace(thread, std::move(buffer));
}

void CpuSampler::OpenNew() {
  std::error_code error;
  for (fs::directory_iterator entry(task_directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto thread = ParseDecimal<std::int64_t>(entry->path().filename().string());
    if (!thread || buffers_.contains(*thread)) {
      continue;
    }
    if (buffers_.size() == kThreadCountMax) {
      refused_ = true;
      taken_.note =
          fmt::format("the process has more threads than the {} that are sampled", kThreadCountMax);
    }
    if (refused_) {
      return;
    }
    OpenOf(*thread);
  }
}

void CpuSampler::Read(Buffer& buffer) {
  PerfRecords records = ReadPerfRecords(buffer.Take());
  taken_.lost += records.lost;
  const std::size_t room = kSampleCountMax - taken_.samples.size();
  if (records.samples.size() > room) {
    taken_.truncated = true;
    records.samples.resize(room);
  }
  taken_.samples.insert(taken_.samples.end(), records.samples.begin(), records.samples.end());
}

void CpuSampler::Look() {
  if (!refused_) {
    OpenNew();
  }
  for (auto& [thread, buffer] : buffers_) {
    Read(*buffer);
  }
}

CpuSamples CpuSampler::Take() {
  for (auto& [thread, buffer] : buffers_) {
    Read(*buffer);
    // Threads take their names after they have begun.
    std::string name = FirstLine(fs::path(task_directory_) / std::to_string(thread) / "comm");
    if (!name.empty()) {
      taken_.thread_names[thread] = std::move(name);
    }
  }
  buffers_.clear();
  std::sort(taken_.samples.begin(), taken_.samples.end(),
            [](const CpuSample& a, const CpuSample& b) {
              return std::tie(a.thread, a.at) < std::tie(b.thread, b.at);
            });
  std::erase_if(taken_.thread_names, [&](const auto& thread) {
    return !std::any_of(taken_.samples.begin(), taken_.samples.end(),
                        [&](const CpuSample& sample) { return sample.thread == thread.first; });
  });
  return std::exchange(taken_, {});
}

std::string PerfRefusal(const char* call, int error, const std::string& paranoid) {
  const std::string what = fmt::format(
      "{}: {}{}", call, std::error_code(error, std::generic_category()).message(),
      paranoid.empty() ? "" : fmt::format("; kernel.perf_event_paranoid is {}", paranoid));
  const bool maps = std::strcmp(call, "mmap") == 0;
  const auto refused = [&](std::string_view reason, std::string_view remedy) {
    return fmt::format("{} ({}). {}", reason, what, remedy);
  };
  if (maps && (IsRefusal(error) || error == ENOMEM)) {
    return refused("the kernel gives the server no memory for the samples of its threads",
                   "What allows it: a higher kernel.perf_event_mlock_kb, more locked memory "
                   "(ulimit -l), or the capability CAP_IPC_LOCK");
  }
  if (IsRefusal(error)) {
    return refused(
        "the server may not sample its own threads",
        "What allows it: sysctl kernel.perf_event_paranoid=2 (or less), or the capability "
        "CAP_PERFMON; in a container also a seccomp profile that has perf_event_open, as with "
        "`docker run --cap-add PERFMON`");
  }
  if (error == EMFILE || error == ENFILE) {
    return refused("there are too few file descriptors for one event of each thread",
                   "What allows it: a higher limit of open files (ulimit -n)");
  }
  if (error == ENOSYS || error == ENOENT || error == EOPNOTSUPP) {
    return refused("this kernel, or the sandbox that the server runs in, samples no threads",
                   "What allows it: a kernel with CONFIG_PERF_EVENTS, and a sandbox that lets "
                   "perf_event_open pass");
  }
  return refused("the server's threads cannot be sampled", "");
}

}  // namespace headrace::profiling
