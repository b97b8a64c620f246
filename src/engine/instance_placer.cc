#include "engine/instance_placer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>

#include "base/log.h"

namespace headrace::engine {

// The cores that instances have for themselves.
struct InstancePlacer::Lease::Ledger {
  std::mutex mutex;
  std::set<int> taken;  // guarded by mutex
};

namespace {

// As the ABI hands policies out: {"<policy>":{"<setting>":"<value>"}}. Names were checked to need
// no escapes when they were given as options; those of configurations need not have been.
std::string SettingsJson(const std::string& policy, const HostBinding& binding, bool defined) {
  std::string name;
  for (const char c : policy) {
    if (static_cast<unsigned char>(c) < 0x20) {
      name += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      continue;
    }
    if (c == '"' || c == '\\') {
      name += '\\';
    }
    name += c;
  }
  std::string settings;
  if (defined && binding.numa_node >= 0) {
    settings += fmt::format("\"numa-node\":\"{}\",", binding.numa_node);
  }
  if (!binding.cpus.empty()) {
    settings += fmt::format("\"cpu-cores\":\"{}\",", FormatCpuList(binding.cpus));
  }
  return fmt::format("{{\"{}\":{{{}\"thread-count\":\"{}\"}}}}", name, settings,
                     binding.thread_count);
}

}  // namespace

Status CheckHostPolicies(const HostPolicies& policies, const Topology& topology) {
  for (const auto& [name, policy] : policies) {
    const std::vector<int> nodes = topology.nodes();
    if (policy.numa_node >= 0 &&
        std::find(nodes.begin(), nodes.end(), policy.numa_node) == nodes.end()) {
      return InvalidArgument(
          "--host-policy={}: there is no NUMA node {} that this process may use; it has {}", name,
          policy.numa_node, fmt::join(nodes, ", "));
    }
    const CpuList& usable = topology.cpus();
    const auto unknown = std::find_if(policy.cpus.begin(), policy.cpus.end(), [&](int cpu) {
      return !std::binary_search(usable.begin(), usable.end(), cpu);
    });
    if (unknown != policy.cpus.end()) {
      return InvalidArgument(
          "--host-policy={}: there is no core {} that this process may use; it has {}", name,
          *unknown, FormatCpuList(usable));
    }
  }
  return OkStatus();
}

void BindThread(const HostBinding& binding) {
  if (!binding.cpus.empty()) {
    if (const Status status = PinThread(binding.cpus); !status.ok()) {
      HEADRACE_LOG_WARNING("a thread of an instance {}", status.message());
    }
  }
  if (binding.numa_node >= 0) {
    // Containers mostly forbid it; cores of the node get its memory anyway.
    if (const Status status = PreferMemoryOfNode(binding.numa_node); !status.ok()) {
      HEADRACE_LOG_VERBOSE("{}", status.message());
    }
  }
}

ScopedBinding::ScopedBinding(const HostBinding& binding)
    : before_(binding.cpus.empty() ? CpuList() : AvailableCpus()),
      prefers_memory_(binding.numa_node >= 0) {
  BindThread(binding);
}

ScopedBinding::~ScopedBinding() {
  if (!before_.empty()) {
    if (const Status status = PinThread(before_); !status.ok()) {
      HEADRACE_LOG_WARNING("a loading thread stays bound: {}", status.message());
    }
  }
  if (prefers_memory_) {
    (void)PreferMemoryOfNode(-1);
  }
}

InstancePlacer::Lease::Lease(Lease&& other) noexcept
    : binding_(std::move(other.binding_)), ledger_(std::move(other.ledger_)) {}

InstancePlacer::Lease& InstancePlacer::Lease::operator=(Lease&& other) noexcept {
  Release();
  binding_ = std::move(other.binding_);
  ledger_ = std::move(other.ledger_);
  return *this;
}

void InstancePlacer::Lease::Release() {
  if (const auto ledger = std::exchange(ledger_, nullptr)) {
    std::lock_guard lock(ledger->mutex);
    for (const int cpu : binding_.cpus) {
      ledger->taken.erase(cpu);
    }
  }
}

InstancePlacer::InstancePlacer(Topology topology, HostPolicies policies, bool pins)
    : topology_(std::move(topology)),
      policies_(std::move(policies)),
      pins_(pins),
      ledger_(std::make_shared<Lease::Ledger>()) {}

InstancePlacer::~InstancePlacer() = default;

std::vector<CpuList> InstancePlacer::TakeCores(std::size_t count, std::size_t thread_count) const {
  std::lock_guard lock(ledger_->mutex);
  CpuList free;
  for (const int cpu : topology_.cpus_by_distance()) {
    if (ledger_->taken.count(cpu) == 0) {
      free.push_back(cpu);
    }
  }
  if (free.size() < count * thread_count) {
    return {};
  }
  std::vector<CpuList> cores(count);
  for (CpuList& own : cores) {
    // The first row of so many that is on one node; or the first.
    std::size_t first = 0;
    for (std::size_t i = 0; i + thread_count <= free.size(); ++i) {
      if (topology_.NodeOf(std::span(free).subspan(i, thread_count)) >= 0) {
        first = i;
        break;
      }
    }
    const auto begin = free.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(thread_count);
    own.assign(begin, end);
    free.erase(begin, end);
    std::sort(own.begin(), own.end());
    ledger_->taken.insert(own.begin(), own.end());
  }
  return cores;
}

InstancePlacer::Lease InstancePlacer::ByPolicy(const InstancePlacement& placement,
                                               const HostPolicy& policy, int thread_count,
                                               std::ptrdiff_t sharers) const {
  Lease lease;
  HostBinding& binding = lease.binding_;
  binding.numa_node = policy.numa_node;
  binding.cpus = policy.cpus.empty() && policy.numa_node >= 0
                     ? topology_.CpusOfNode(policy.numa_node)
                     : policy.cpus;
  const int cores = binding.cpus.empty()
                        ? topology_.core_count()
                        : std::min(static_cast<int>(binding.cpus.size()), topology_.core_count());
  binding.thread_count =
      thread_count > 0 ? thread_count : std::max(1, cores / static_cast<int>(sharers));
  binding.settings_json = SettingsJson(placement.host_policy, binding, true);
  return lease;
}

void InstancePlacer::WarnOfUndefined(const InstancePlacement& placement) const {
  const std::string& name = placement.host_policy;
  if (name != "cpu" && name != "model" && !name.starts_with("gpu_")) {
    HEADRACE_LOG_WARNING(
        "host policy '{}' of instance '{}' has no effect: define it with --host-policy={},"
        "numa-node=<number> or --host-policy={},cpu-cores=<first>-<last>",
        name, placement.name, name, name);
  }
}

std::vector<InstancePlacer::Lease> InstancePlacer::Place(
    std::span<const InstancePlacement> placements, int thread_count) const {
  const auto is_free = [&](const InstancePlacement& placement) {
    return placement.kind == InstanceKind::kCpu && !placement.passive &&
           policies_.count(placement.host_policy) == 0;
  };
  const auto free_count =
      static_cast<std::size_t>(std::count_if(placements.begin(), placements.end(), is_free));
  const int core_count = topology_.core_count();
  const int share = core_count / std::max(1, static_cast<int>(free_count));
  const int wanted = thread_count > 0 ? thread_count : share;
  std::vector<CpuList> cores;
  if (pins_ && !topology_.is_limited() && wanted > 0 && wanted < core_count && free_count > 0) {
    cores = TakeCores(free_count, static_cast<std::size_t>(wanted));
  }
  std::vector<Lease> leases;
  leases.reserve(placements.size());
  auto next = cores.begin();
  for (const InstancePlacement& placement : placements) {
    if (const auto policy = policies_.find(placement.host_policy); policy != policies_.end()) {
      const auto sharers = std::count_if(
          placements.begin(), placements.end(),
          [&](const auto& other) { return other.host_policy == placement.host_policy; });
      leases.push_back(ByPolicy(placement, policy->second, thread_count, sharers));
      continue;
    }
    WarnOfUndefined(placement);
    Lease& lease = leases.emplace_back();
    lease.binding_.thread_count = std::max(1, wanted);
    if (is_free(placement) && next != cores.end()) {
      lease.binding_.cpus = *next++;
      lease.binding_.numa_node = topology_.NodeOf(lease.binding_.cpus);
      lease.ledger_ = ledger_;
    }
    lease.binding_.settings_json = SettingsJson(placement.host_policy, lease.binding_, false);
  }
  return leases;
}

std::string DescribeBinding(const HostBinding& binding, const Topology& topology) {
  const bool bound = !binding.cpus.empty();
  const CpuList& cpus = bound ? binding.cpus : topology.cpus();
  const int node = topology.NodeOf(cpus);
  return fmt::format("{}core{} {} of {}; threads for its backend: {}", bound ? "" : "any of ",
                     cpus.size() == 1 ? "" : "s", FormatCpuList(cpus),
                     node >= 0 ? fmt::format("NUMA node {}", node) : "several NUMA nodes",
                     binding.thread_count);
}

}  // namespace headrace::engine
