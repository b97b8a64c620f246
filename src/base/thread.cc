#include "base/thread.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/checked_math.h"

namespace headrace {
namespace {

// Far above any machine, so that the mask always fits the kernel's.
constexpr int kCpuCountMax = 8192;
constexpr std::size_t kThreadNameByteSizeMax = 15;

class CpuSet {
 public:
  CpuSet() : set_(CPU_ALLOC(kCpuCountMax)) {
    HEADRACE_CHECK(set_ != nullptr);
    CPU_ZERO_S(byte_size(), get());
  }
  ~CpuSet() { CPU_FREE(set_); }
  CpuSet(const CpuSet&) = delete;
  CpuSet& operator=(const CpuSet&) = delete;

  cpu_set_t* get() const { return set_; }
  std::size_t byte_size() const { return CPU_ALLOC_SIZE(kCpuCountMax); }

 private:
  cpu_set_t* set_;
};

// "5" or "0-3", appended to `cpus`.
Status ParseRange(std::string_view text, CpuList& cpus) {
  const std::size_t dash = text.find('-');
  const auto first = ParseDecimal<unsigned>(text.substr(0, dash));
  const auto last = dash == text.npos ? first : ParseDecimal<unsigned>(text.substr(dash + 1));
  if (!first || !last || *last < *first || *last >= kCpuCountMax) {
    return InvalidArgument("'{}' is neither a processor number nor an ascending range", text);
  }
  for (unsigned cpu = *first; cpu <= *last; ++cpu) {
    cpus.push_back(static_cast<int>(cpu));
  }
  return OkStatus();
}

}  // namespace

void SetThreadName(std::string_view name) {
  const std::string kept(name.substr(0, kThreadNameByteSizeMax));
  pthread_setname_np(pthread_self(), kept.c_str());
}

Status PinThread(std::span<const int> cpus) {
  CpuSet set;
  for (const int cpu : cpus) {
    if (cpu < 0 || cpu >= kCpuCountMax) {
      return InvalidArgument("there is no processor {}", cpu);
    }
    CPU_SET_S(static_cast<std::size_t>(cpu), set.byte_size(), set.get());
  }
  const int error = pthread_setaffinity_np(pthread_self(), set.byte_size(), set.get());
  if (error != 0) {
    return InvalidArgument("cannot run on processors '{}': {}", FormatCpuList(cpus),
                           std::strerror(error));
  }
  return OkStatus();
}

CpuList AvailableCpus() {
  CpuSet set;
  CpuList cpus;
  if (sched_getaffinity(0, set.byte_size(), set.get()) == 0) {
    for (int cpu = 0; cpu < kCpuCountMax; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), set.byte_size(), set.get())) {
        cpus.push_back(cpu);
      }
    }
  }
  return cpus.empty() ? CpuList{0} : cpus;
}

Status PreferMemoryOfNode(int node) {
  // linux/mempolicy.h; the C library has no function for the call.
  constexpr int kDefault = 0;
  constexpr int kPreferred = 1;
  constexpr int kWordBits = 8 * sizeof(unsigned long);
  std::array<unsigned long, 1024 / kWordBits> mask = {};
  if (node >= static_cast<int>(mask.size()) * kWordBits) {
    return InvalidArgument("there is no NUMA node {}", node);
  }
  long result = 0;
  if (node < 0) {
    result = syscall(SYS_set_mempolicy, kDefault, nullptr, 0UL);
  } else {
    mask[static_cast<std::size_t>(node / kWordBits)] = 1UL << (node % kWordBits);
    // The kernel takes one bit less than it is told.
    result = syscall(SYS_set_mempolicy, kPreferred, mask.data(), mask.size() * kWordBits + 1);
  }
  return result == 0 ? OkStatus()
                     : Unavailable("memory of NUMA node {} cannot be preferred: {}", node,
                                   std::strerror(errno));
}

Result<CpuList> ParseCpuList(std::string_view text) {
  CpuList cpus;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    HEADRACE_RETURN_IF_ERROR(ParseRange(rest.substr(0, comma), cpus)
                                 .WithPrefix(fmt::format("processor list '{}': ", text)));
    if (comma == rest.npos) {
      break;
    }
    // A list that names all processors once cannot be longer; a longer one would only eat memory.
    if (cpus.size() > kCpuCountMax) {
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  std::sort(cpus.begin(), cpus.end());
  if (const auto twice = std::adjacent_find(cpus.begin(), cpus.end()); twice != cpus.end()) {
    return InvalidArgument("processor list '{}' names {} twice", text, *twice);
  }
  return cpus;
}

std::string FormatCpuList(std::span<const int> cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) {
      ++last;
    }
    if (!text.empty()) {
      text += ',';
    }
    text += last == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace headrace
