// Which processors this process may use, and how they lie: NUMA nodes and cores.
#ifndef HEADRACE_BASE_TOPOLOGY_H_
#define HEADRACE_BASE_TOPOLOGY_H_

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/thread.h"

namespace headrace {

// A value type. What the kernel does not tell is taken as one node 0 with all processors, each of
// them a core.
class Topology {
 public:
  // Reads /sys and the control group of this process: blocks shortly. `system_root` stands in for
  // "/" in tests, `available` for what the calling thread may use.
  static Topology Read(const std::string& system_root = "", CpuList available = AvailableCpus());

  // Processors that this process may use; ascending, at least one.
  const CpuList& cpus() const { return cpus_; }
  // The numbers of the NUMA nodes that have some of them; ascending.
  std::vector<int> nodes() const;
  // Those of a node; empty if it is none of nodes().
  CpuList CpusOfNode(int node) const;
  // The node that all of `cpus` belong to; -1 if they are of several, or of none.
  int NodeOf(std::span<const int> cpus) const;
  // How many cores those of `cpus` belong to (two threads of one core count once); all of cpus() if
  // it is empty.
  int PhysicalCoreCount(std::span<const int> cpus = {}) const;
  // How many processors' time the process gets: all of cpus(), or what its control group allows,
  // rounded up; at least one.
  int core_count() const { return core_count_; }
  // True if a control group allows less time than cpus() have.
  bool is_limited() const { return core_count_ < static_cast<int>(cpus_.size()); }
  // cpus() so that neighbours share most: node by node, in each the first threads of all cores,
  // then the second ones.
  const CpuList& cpus_by_distance() const { return cpus_by_distance_; }

 private:
  CpuList cpus_;
  CpuList cpus_by_distance_;
  std::map<int, CpuList> nodes_;
  std::map<int, int> cores_;  // of each of cpus_: the first thread of its core
  int core_count_ = 1;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_TOPOLOGY_H_
