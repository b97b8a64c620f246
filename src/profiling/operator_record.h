// The operators that a backend recorded, and their table.
#ifndef HEADRACE_PROFILING_OPERATOR_RECORD_H_
#define HEADRACE_PROFILING_OPERATOR_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "profiling/machine_ceiling.h"

namespace headrace::profiling {

struct OperatorEvent {
  std::string name{}, kind{}, shapes{};
  std::string stack{};  // "outer;inner": lines of the model's source that called it
  Nanos start = 0;
  Nanos duration = 0;
  std::int64_t thread = 0;
  std::uint64_t flops = 0;            // 0: not known
  std::uint64_t moved_byte_size = 0;  // of inputs and outputs, each once; 0: not known
  std::uint64_t byte_size = 0;        // of its outputs, where the runtime says that of each call
  bool on_device = false;
};

// Memory that was allocated (above 0) or freed.
struct MemoryEvent {
  Nanos at = 0;
  std::int64_t thread = 0;
  std::int64_t byte_size = 0;
  bool on_device = false;
};

// One line of the table.
struct OperatorLine {
  std::string name{}, kind{}, detail{};
  std::uint64_t count = 0;
  Nanos total = 0;              // with what it called
  Nanos self = 0;               // without
  std::uint64_t byte_size = 0;  // allocated by itself, all calls together
  // Of the calls whose work is known: how many, what they took with what they called, what they
  // computed and moved. 0: not known.
  std::uint64_t worked_count = 0;
  Nanos worked = 0;
  std::uint64_t flops = 0, moved_byte_size = 0;
  // What the machine needs at least for that, by what they took: 1 is the ceiling. 0: not known.
  double roofline = 0;
  bool memory_bound = false;  // it is the memory that needs so long
};

struct OperatorRecord {
  std::string runtime, note;
  std::string memory_note{};  // what its byte sizes are
  std::string work_note{};    // why no flops and bytes are known; empty: nothing to say
  int threads = 0;            // that an instance computes with; 0: not known
  bool truncated = false;
  std::vector<OperatorEvent> events{};  // as OuterFirst has them (operator_nesting.h)
  std::vector<OperatorLine> totals{};   // of runtimes that only sum up
  std::vector<MemoryEvent> memory{};    // by time

  // Whether flops or bytes are known of one operator at least.
  bool HasWork() const;
  // Whether some ran on a device: those of threads then mostly start them.
  bool UsesDevice() const;
};

// Reads what a backend handed over (abi/headrace_extensions.h). INTERNAL names what does not read.
Result<OperatorRecord> ReadOperatorRecord(std::string_view json);

// By the time that they took themselves, most first. An event that lies within another of its
// thread is a part of that one. Events and totals of one name and kind are one line. `ceiling`: of
// the machine; null: no operator is held against it. Those of a device never are.
std::vector<OperatorLine> OperatorTable(const OperatorRecord& record,
                                        const MachineCeiling* ceiling = nullptr);

// How much of the operators' own time went to what.
struct OperatorShares {
  double short_operators = 0;  // less than 10 us each
  double copies = 0;           // copies, conversions, reorderings
};
OperatorShares SharesOf(const OperatorRecord& record);
// True for an operator that moves or converts data and computes nothing.
bool IsCopy(std::string_view name, std::string_view kind);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_OPERATOR_RECORD_H_
