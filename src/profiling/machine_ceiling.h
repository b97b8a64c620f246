// What the machine can do at most: the roof that a profile's operators are held against.
#ifndef HEADRACE_PROFILING_MACHINE_CEILING_H_
#define HEADRACE_PROFILING_MACHINE_CEILING_H_

#include <cstdint>
#include <map>
#include <string>

namespace headrace::profiling {

struct MachineCeiling {
  double flops_per_s = 0;  // fp32; a multiply-add is two
  double bytes_per_s = 0;  // read and written
  int threads = 1;         // that it was measured with, all at once
  std::string how{};       // in words
};

// How long the machine needs at least for so many operations and bytes, each in nanoseconds.
// 0 of what is not known takes no time.
struct RooflineTime {
  double compute = 0, memory = 0;
  double longer() const { return compute > memory ? compute : memory; }
};
RooflineTime RooflineTimeOf(std::uint64_t flops, std::uint64_t byte_size,
                            const MachineCeiling& ceiling);

// Measures it in this process: multiply-adds in registers with the widest vectors that the
// processor has, and a triad (a = b + s * c) over arrays that L2 does not hold. Some 30 ms, in
// which threads of its own compute beside what the process does; rounds are short and the best one
// counts, and of several measurements the highest, so that a machine that is busy now and then
// shows what it can do. One thread.
class CeilingMeter {
 public:
  static constexpr int kThreadCountMax = 256;

  // `thread_count`: as many as compute for one instance; taken into 1..kThreadCountMax. Blocks.
  // Takes some MiB for each thread meanwhile.
  MachineCeiling Measure(int thread_count);

 private:
  std::map<int, MachineCeiling> highest_;  // by the number of threads
};

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_MACHINE_CEILING_H_
