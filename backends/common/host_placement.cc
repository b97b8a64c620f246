#include "common/host_placement.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace headrace::backend {
namespace {

// Far above any machine, so that the mask always fits the kernel's.
constexpr int kCpuCountMax = 8192;
constexpr int kThreadCountMax = 8192;

struct FreeSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

// Of a thread of this process by its number; 0: the calling one. Empty if the kernel does not tell.
std::vector<int> AffinityOf(pid_t thread) {
  const std::unique_ptr<cpu_set_t, FreeSet> set(CPU_ALLOC(kCpuCountMax));
  const std::size_t byte_size = CPU_ALLOC_SIZE(kCpuCountMax);
  std::vector<int> cpus;
  if (set == nullptr || sched_getaffinity(thread, byte_size, set.get()) != 0) {
    return cpus;
  }
  for (int cpu = 0; cpu < kCpuCountMax; ++cpu) {
    if (CPU_ISSET_S(static_cast<std::size_t>(cpu), byte_size, set.get())) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

}  // namespace

int ThreadCountOfPolicy(std::string_view policy_json) {
  const auto root = nlohmann::json::parse(policy_json, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return 0;
  }
  for (const auto& settings : root) {
    const auto found = settings.is_object() ? settings.find("thread-count") : settings.end();
    if (found == settings.end() || !found->is_string()) {
      continue;
    }
    const auto& text = found->get_ref<const std::string&>();
    int count = 0;
    const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (failure == std::errc() && stop == text.data() + text.size() && count > 0 &&
        count <= kThreadCountMax) {
      return count;
    }
  }
  return 0;
}

Error HostPlacement::Of(TRITONBACKEND_ModelInstance* instance, HostPlacement* placement) {
  HostPlacement result;
  const std::vector<int> own = AffinityOf(0);
  // The main thread has what the process was started with.
  if (own.size() < AffinityOf(getpid()).size()) {
    result.cpus = own;
  }
  TRITONSERVER_Message* policy = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceHostPolicy(instance, &policy));
  const char* json = nullptr;
  std::size_t byte_size = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONSERVER_MessageSerializeToJson(policy, &json, &byte_size));
  result.thread_count = ThreadCountOfPolicy({json, byte_size});
  if (result.thread_count == 0) {
    result.thread_count = static_cast<int>(result.cpus.size());
  }
  *placement = std::move(result);
  return {};
}

int ProcessCoreCount() { return std::max(1, static_cast<int>(AffinityOf(getpid()).size())); }

}  // namespace headrace::backend
