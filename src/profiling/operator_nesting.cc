#include "profiling/operator_nesting.h"

#include <algorithm>
#include <tuple>

namespace headrace::profiling {
namespace {

Nanos EndOf(const OperatorEvent& event) { return event.start + event.duration; }

}  // namespace

bool OuterFirst(const OperatorEvent& a, const OperatorEvent& b) {
  return std::tie(a.on_device, a.thread, a.start, b.duration) <
         std::tie(b.on_device, b.thread, b.start, a.duration);
}

std::vector<std::size_t> ParentsOf(const std::vector<OperatorEvent>& events) {
  std::vector<std::size_t> parents(events.size(), kNoOperator);
  std::vector<std::size_t> open;  // events that contain the next one, if they have not ended
  for (std::size_t i = 0; i < events.size(); ++i) {
    const OperatorEvent& event = events[i];
    while (!open.empty() && (events[open.back()].thread != event.thread ||
                             events[open.back()].on_device != event.on_device ||
                             EndOf(events[open.back()]) <= event.start)) {
      open.pop_back();
    }
    if (!open.empty()) {
      parents[i] = open.back();
    }
    open.push_back(i);
  }
  return parents;
}

std::vector<Nanos> SelfTimesOf(const std::vector<OperatorEvent>& events,
                               const std::vector<std::size_t>& parents) {
  std::vector<Nanos> self(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    self[i] = events[i].duration;
    if (parents[i] != kNoOperator) {
      Nanos& outer = self[parents[i]];
      outer = std::max<Nanos>(0, outer - events[i].duration);
    }
  }
  return self;
}

std::size_t InnermostAt(const std::vector<OperatorEvent>& events,
                        const std::vector<std::size_t>& parents, std::int64_t thread, Nanos at) {
  const auto device_events = std::partition_point(
      events.begin(), events.end(), [](const OperatorEvent& event) { return !event.on_device; });
  // The last event of the thread that had begun, then outwards to one that had not ended.
  const auto next = std::upper_bound(events.begin(), device_events, std::tie(thread, at),
                                     [](const auto& wanted, const OperatorEvent& event) {
                                       return wanted < std::tie(event.thread, event.start);
                                     });
  std::size_t found =
      next == events.begin() ? kNoOperator : static_cast<std::size_t>(next - events.begin()) - 1;
  while (found != kNoOperator && (events[found].thread != thread || EndOf(events[found]) < at)) {
    found = events[found].thread != thread ? kNoOperator : parents[found];
  }
  return found;
}

std::vector<std::uint64_t> AllocatedBytesOf(const OperatorRecord& record,
                                            const std::vector<std::size_t>& parents) {
  const std::vector<OperatorEvent>& events = record.events;
  std::vector<std::uint64_t> byte_sizes(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    byte_sizes[i] = events[i].byte_size;
  }
  // Memory of a device, too, is allocated by an operator that runs on a thread.
  for (const MemoryEvent& memory : record.memory) {
    if (memory.byte_size <= 0) {
      continue;
    }
    const std::size_t at = InnermostAt(events, parents, memory.thread, memory.at);
    if (at != kNoOperator) {
      byte_sizes[at] += static_cast<std::uint64_t>(memory.byte_size);
    }
  }
  return byte_sizes;
}

}  // namespace headrace::profiling
