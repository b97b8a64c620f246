// Where a measurement was made: what belongs into every result, so that it can be compared later.
#ifndef HEADRACE_BENCH_ENVIRONMENT_H_
#define HEADRACE_BENCH_ENVIRONMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/level.h"

namespace headrace::bench {

struct GpuEnvironment {
  std::string name, uuid;
  std::uint64_t memory_byte_size = 0;
  double capability = 0;
  std::optional<double> power_limit_w;
};

// Of the machine that sends; the server's is the same one when its address is local. What the
// kernel does not tell is empty.
struct Environment {
  std::string headrace_version, git_id, compiler;
  std::string kernel, operating_system;
  std::string cpu_model;
  int cpu_count = 0;            // processors that this process may use
  int physical_core_count = 0;  // of these
  int numa_node_count = 0;
  std::string governor;  // of the first processor
  std::optional<bool> turbo, smt;
  std::optional<double> cpu_limit;  // processors' time that the control group allows
  std::optional<std::uint64_t> memory_limit_byte_size;
  std::uint64_t memory_byte_size = 0;
  std::vector<GpuEnvironment> gpus;
  std::string server_name, server_version;  // as the target says
};

// Blocks shortly. `system_root` stands in for "/" in tests. GPUs only where `with_gpus`: finding
// them loads the driver.
Environment ReadEnvironment(bool with_gpus, const std::string& system_root = "");

// Counters of the machine at one moment; two of them make MachineFigures.
struct MachineReading {
  std::uint64_t total_ticks = 0, idle_ticks = 0, steal_ticks = 0;
  std::uint64_t involuntary_switch_count = 0;
  std::uint64_t thermal_event_count = 0;
  std::uint64_t quota_throttled_us = 0;
  std::optional<double> frequency_mhz;
};
MachineReading ReadMachine(const std::string& system_root = "");
MachineFigures Between(const MachineReading& before, const MachineReading& after);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_ENVIRONMENT_H_
