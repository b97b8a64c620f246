// Which operator called which: those of one thread nest by time.
#ifndef HEADRACE_PROFILING_OPERATOR_NESTING_H_
#define HEADRACE_PROFILING_OPERATOR_NESTING_H_

#include <cstddef>
#include <vector>

#include "profiling/operator_record.h"

namespace headrace::profiling {

inline constexpr std::size_t kNoOperator = static_cast<std::size_t>(-1);

// The order of events that all of these take, and answer in: those of a device last (the numbers of
// its streams may be those of threads), by thread, by start; where two begin together, the longer
// one, which contains the other, first.
bool OuterFirst(const OperatorEvent& a, const OperatorEvent& b);

// The innermost event that contains each one; kNoOperator for outermost ones.
std::vector<std::size_t> ParentsOf(const std::vector<OperatorEvent>& events);
// The innermost event of a thread at that time, without those of a device; kNoOperator: none.
std::size_t InnermostAt(const std::vector<OperatorEvent>& events,
                        const std::vector<std::size_t>& parents, std::int64_t thread, Nanos at);
// What each event took without those that it contains.
std::vector<Nanos> SelfTimesOf(const std::vector<OperatorEvent>& events,
                               const std::vector<std::size_t>& parents);
// What was allocated while each event ran and none within it, added to what the runtime said of it
// itself (OperatorEvent::byte_size). Allocations outside of events are left out.
std::vector<std::uint64_t> AllocatedBytesOf(const OperatorRecord& record,
                                            const std::vector<std::size_t>& parents);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_OPERATOR_NESTING_H_
