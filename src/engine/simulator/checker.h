// What the simulator knows about every request, and the rules that it holds the engine to.
#ifndef HEADRACE_ENGINE_SIMULATOR_CHECKER_H_
#define HEADRACE_ENGINE_SIMULATOR_CHECKER_H_

#include <fmt/core.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/response_sink.h"
#include "engine/simulator/queue_under_test.h"
#include "engine/simulator/scenario.h"

namespace headrace::engine::simulator {

// The rules, checked after every event:
//  1. A request that has not ended is in exactly one place: the queue, an instance, a backend that
//  answers late, or the line of
//     answers that keep their order. The queue's depth and bytes are the sums over what is in it
//     and within the limits.
//  2. A request ends once.
//  3. A batch holds at most batch_size_max (one request without dynamic batching), of one shape, in
//  the order of service (by level, within one those that outstayed a timeout that delays behind the
//  others, then by age), and passes over no live request of its shape.
//  4. A request that was cancelled, past its deadline or past a timeout that rejects when the batch
//  was formed is not in it.
//  5. A batch is due: its oldest waited out the delay, its size is a preferred one, reaches the
//  largest preferred one, or nothing more fits; or the queue is closed. With levels or delays it is
//  enough that something was due.
//  6. The oldest live request, once it has waited out the delay, is in the next batch. So it waits
//  for the delay, then for an instance that becomes free, and behind older requests only. With
//  levels or delays the first in the order of service is in every batch, except that after so many
//  batches as the policies say without the oldest, the next one begins with the oldest.
//  7. Before time moves on: while a live request has waited out the delay, or a shape has the
//  largest preferred size waiting, or the queue is closed and not empty, no instance is parked
//  unless one is being woken. And no request waits that has outstayed a timeout that rejects.
//  8. A request is refused only when it would pass a limit or when the queue is closed.
//  9. With preserve_ordering, executed requests are answered in the order of their arrival.
// 10. In the end every request has ended, the queue is empty and every runner has left.
class Checker {
 public:
  enum class Place : std::uint8_t { kNew, kQueued, kExecuting, kLate, kHeld, kEnded };
  struct Record {
    std::uint64_t number = 0;  // in the order of arrival, from 1
    std::uint64_t shape = 0;
    std::int64_t batch_size = 1;
    std::size_t byte_size = 0;
    Nanos queued = 0;
    Nanos deadline = kNever;
    std::uint32_t level = 1;
    Nanos expiry = kNever;
    bool delays = false;  // when it expires
    Place place = Place::kNew;
    bool cancelled = false;
    bool executed = false;
    int ends = 0;
    bool rejected(Nanos now) const { return !delays && expiry <= now; }
    bool live(Nanos now) const { return !cancelled && deadline > now && !rejected(now); }
    std::uint32_t lane(Nanos now) const { return level * 2 + (delays && expiry <= now ? 1 : 0); }
  };

  Checker(const Scenario& scenario, bool trace) : scenario_(scenario), trace_(trace) {}

  // Events.
  Record& NewRequest();
  void SetPolicy(Record& record, std::uint64_t priority, std::uint64_t timeout_us, Nanos now);
  void Accepted(Record& record, Nanos now);
  void Refused(Record& record, QueueCore::PushResult result, bool closed);
  // Before the batch leaves the queue's books: `popped` in order.
  void Dispatched(const std::vector<Record*>& batch, bool closed, Nanos now);
  void Moved(Record& record, Place place) { record.place = place; }
  void Ended(Record& record, const Status& status);

  // Rule 1.
  void CheckPlaces(const QueueUnderTest& queue);
  // Rule 7.
  void CheckBeforeTimeMoves(Nanos now, bool closed, std::size_t parked, std::size_t waking);
  // Rule 10.
  void CheckEnd(const QueueUnderTest& queue, int runners_left);

  void Fail(std::string what);
  bool failed() const { return !violation_.empty(); }
  const std::string& violation() const { return violation_; }
  template <typename... Args>
  void Trace(Nanos now, fmt::format_string<Args...> format, Args&&... args) {
    if (trace_) {
      fmt::print("{:>10.1f}us  {}\n", static_cast<double>(now) / kMicrosecond,
                 fmt::format(format, std::forward<Args>(args)...));
    }
  }

  Record* Find(std::uint64_t number) { return &records_[number - 1]; }
  std::uint64_t request_count() const { return records_.size(); }
  std::uint64_t batch_count() const { return batch_count_; }

 private:
  void CheckFirst(const std::vector<Record*>& batch, bool closed, Nanos now);
  void CheckComposition(const std::vector<Record*>& batch, std::int64_t total, Nanos now);
  // The live requests in the order of service.
  std::vector<Record*> InOrder(Nanos now) const;
  bool SomethingIsDue(Nanos now) const;
  void CheckDue(const std::vector<Record*>& batch, std::int64_t total, Nanos now);
  bool WaitedOut(const Record& record, Nanos now) const {
    return now - record.queued >= scenario_.policy.queue_delay_max;
  }
  std::int64_t LargestPreferred() const {
    const auto& sizes = scenario_.policy.preferred_sizes;
    return sizes.empty() ? scenario_.policy.batch_size_max : sizes.back();
  }

  const Scenario& scenario_;
  const bool trace_;
  std::deque<Record> records_;   // all; addresses stay
  std::vector<Record*> queued_;  // accepted and not dispatched or ended, oldest first
  std::uint64_t batch_count_ = 0;
  std::uint32_t passed_over_ = 0;  // batches in a row without the oldest
  std::uint64_t last_answered_ = 0;
  std::string violation_;
};

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_CHECKER_H_
