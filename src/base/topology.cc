#include "base/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "base/checked_math.h"
#include "base/control_group.h"

namespace headrace {
namespace {

namespace fs = std::filesystem;

// The first line of a small file of the kernel's; nothing if it cannot be read.
std::optional<std::string> ReadLine(const std::string& path) {
  std::ifstream stream(path);
  std::string line;
  if (!std::getline(stream, line)) {
    return std::nullopt;
  }
  return line;
}

CpuList ReadCpus(const std::string& path) {
  const auto line = ReadLine(path);
  auto cpus = line ? ParseCpuList(*line) : Result<CpuList>(CpuList());
  return cpus.ok() ? *std::move(cpus) : CpuList();
}

CpuList Intersection(const CpuList& a, const CpuList& b) {
  CpuList both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

std::map<int, CpuList> ReadNodes(const std::string& root, const CpuList& available) {
  constexpr std::string_view kPrefix = "node";
  std::map<int, CpuList> nodes;
  std::error_code failure;
  for (fs::directory_iterator entry(root + "/sys/devices/system/node", failure), end;
       !failure && entry != end; entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    const auto number = name.starts_with(kPrefix)
                            ? ParseDecimal<unsigned>(std::string_view(name).substr(kPrefix.size()))
                            : std::nullopt;
    if (!number || *number > 1023) {
      continue;
    }
    CpuList cpus = Intersection(ReadCpus(entry->path().string() + "/cpulist"), available);
    if (!cpus.empty()) {
      nodes[static_cast<int>(*number)] = std::move(cpus);
    }
  }
  if (nodes.empty()) {
    nodes[0] = available;
  }
  return nodes;
}

// The threads of a processor's core; it alone where the kernel does not tell.
CpuList ThreadsOfCore(const std::string& root, int cpu) {
  CpuList siblings = ReadCpus(
      fmt::format("{}/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", root, cpu));
  return std::binary_search(siblings.begin(), siblings.end(), cpu) ? siblings : CpuList{cpu};
}

// "150000 100000" -> 2: a control group's processor time, rounded up; nothing for "max".
std::optional<int> CoresOf(const std::string& quota, const std::string& period) {
  const auto time = ParseDecimal<std::uint64_t>(quota);
  const auto of = ParseDecimal<std::uint64_t>(period);
  if (!time || !of || *of == 0 || *time == 0) {
    return std::nullopt;
  }
  return static_cast<int>(std::min<std::uint64_t>((*time + *of - 1) / *of, 1 << 20));
}

// The least that a control group of either generation allows.
std::optional<int> ReadQuota(const std::string& root) {
  std::optional<int> least;
  const auto take = [&least](std::optional<int> cores) {
    if (cores && (!least || *cores < *least)) {
      least = cores;
    }
  };
  for (const std::string& directory : ControlGroupDirectories(root, "")) {
    const std::string line = ReadLine(directory + "/cpu.max").value_or("");
    if (const std::size_t blank = line.find(' '); blank != std::string::npos) {
      take(CoresOf(line.substr(0, blank), line.substr(blank + 1)));
    }
  }
  for (const std::string& directory : ControlGroupDirectories(root, "cpu")) {
    take(CoresOf(ReadLine(directory + "/cpu.cfs_quota_us").value_or(""),
                 ReadLine(directory + "/cpu.cfs_period_us").value_or("")));
  }
  return least;
}

}  // namespace

Topology Topology::Read(const std::string& system_root, CpuList available) {
  Topology topology;
  topology.cpus_ = std::move(available);
  topology.nodes_ = ReadNodes(system_root, topology.cpus_);
  const auto cpu_count = static_cast<int>(topology.cpus_.size());
  topology.core_count_ = std::clamp(ReadQuota(system_root).value_or(cpu_count), 1, cpu_count);
  std::vector<std::pair<std::ptrdiff_t, int>>
      threads;  // of one node: the place in the core, the processor
  for (const auto& [node, cpus] : topology.nodes_) {
    threads.clear();
    for (const int cpu : cpus) {
      const CpuList core = ThreadsOfCore(system_root, cpu);
      topology.cores_[cpu] = core.front();
      threads.emplace_back(std::find(core.begin(), core.end(), cpu) - core.begin(), cpu);
    }
    std::sort(threads.begin(), threads.end());
    for (const auto& [place, cpu] : threads) {
      topology.cpus_by_distance_.push_back(cpu);
    }
  }
  return topology;
}

std::vector<int> Topology::nodes() const {
  std::vector<int> numbers;
  for (const auto& [node, cpus] : nodes_) {
    numbers.push_back(node);
  }
  return numbers;
}

CpuList Topology::CpusOfNode(int node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? CpuList() : found->second;
}

int Topology::PhysicalCoreCount(std::span<const int> cpus) const {
  std::set<int> cores;
  for (const int cpu : cpus.empty() ? std::span<const int>(cpus_) : cpus) {
    if (const auto found = cores_.find(cpu); found != cores_.end()) {
      cores.insert(found->second);
    }
  }
  return std::max(1, static_cast<int>(cores.size()));
}

int Topology::NodeOf(std::span<const int> cpus) const {
  for (const auto& [node, members] : nodes_) {
    if (!cpus.empty() && std::all_of(cpus.begin(), cpus.end(), [&](int cpu) {
          return std::binary_search(members.begin(), members.end(), cpu);
        })) {
      return node;
    }
  }
  return -1;
}

}  // namespace headrace
