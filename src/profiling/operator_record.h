// The operators that a backend recorded, and their table.
#ifndef HEADRACE_PROFILING_OPERATOR_RECORD_H_
#define HEADRACE_PROFILING_OPERATOR_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace headrace::profiling {

struct OperatorEvent {
  std::string name{}, kind{}, shapes{};
  std::string stack{};  // "outer;inner": lines of the model's source that called it
  Nanos start = 0;
  Nanos duration = 0;
  std::int64_t thread = 0;
  std::uint64_t flops = 0;
  std::uint64_t byte_size = 0;  // of its outputs, where the runtime says that of each call
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
  Nanos total = 0;  // with what it called
  Nanos self = 0;   // without
  std::uint64_t flops = 0;
  std::uint64_t byte_size = 0;  // allocated by itself, all calls together
};

struct OperatorRecord {
  std::string runtime, note;
  std::string memory_note{};  // what its byte sizes are
  bool truncated = false;
  std::vector<OperatorEvent> events{};  // as OuterFirst has them (operator_nesting.h)
  std::vector<OperatorLine> totals{};   // of runtimes that only sum up
  std::vector<MemoryEvent> memory{};    // by time
};

// Reads what a backend handed over (abi/headrace_extensions.h). INTERNAL names what does not read.
Result<OperatorRecord> ReadOperatorRecord(std::string_view json);

// By the time that they took themselves, most first. An event that lies within another of its
// thread is a part of that one. Events and totals of one name and kind are one line.
std::vector<OperatorLine> OperatorTable(const OperatorRecord& record);

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
