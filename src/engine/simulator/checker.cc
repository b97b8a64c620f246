#include "engine/simulator/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace headrace::engine::simulator {

void Checker::Fail(std::string what) {
  if (violation_.empty()) {
    violation_ = std::move(what);
  }
}

Checker::Record& Checker::NewRequest() {
  records_.push_back({.number = records_.size() + 1});
  return records_.back();
}

void Checker::SetPolicy(Record& record, std::uint64_t priority, std::uint64_t timeout_us,
                        Nanos now) {
  const std::uint32_t levels = scenario_.policies.level_count;
  record.level = priority >= 1 && priority <= levels ? static_cast<std::uint32_t>(priority)
                                                     : scenario_.policies.default_level;
  const auto own = scenario_.policies.of_level.find(record.level);
  const QueuePolicy& policy =
      own == scenario_.policies.of_level.end() ? scenario_.policies.default_policy : own->second;
  record.delays = policy.timeout_action == TimeoutAction::kDelay;
  if (policy.timeout > 0) {
    const Nanos asked = static_cast<Nanos>(timeout_us) * kMicrosecond;
    const bool shorter = policy.allow_timeout_override && asked > 0 && asked < policy.timeout;
    record.expiry = now + (shorter ? asked : policy.timeout);
  }
}

void Checker::Accepted(Record& record, Nanos now) {
  record.place = Place::kQueued;
  record.queued = now;
  queued_.push_back(&record);
}

void Checker::Refused(Record& record, QueueCore::PushResult result, bool closed) {
  std::size_t bytes = 0, of_level = 0;
  for (const Record* queued : queued_) {
    bytes += queued->byte_size;
    of_level += queued->level == record.level ? 1 : 0;
  }
  const std::size_t level_max = scenario_.policies.Of(record.level).request_count_max;
  const bool level_full = level_max > 0 && of_level >= level_max;
  const bool justified = closed
                             ? result == QueueCore::PushResult::kClosed
                             : level_full || queued_.size() >= scenario_.limits.request_count_max ||
                                   bytes + record.byte_size > scenario_.limits.byte_size_max;
  if (!justified) {
    Fail(fmt::format("request {} was refused with room in the queue", record.number));
  }
}

void Checker::Dispatched(const std::vector<Record*>& batch, bool closed, Nanos now) {
  ++batch_count_;
  std::int64_t total = 0;
  for (const Record* record : batch) {
    total += record->batch_size;
    if (record->place != Place::kQueued) {
      Fail(fmt::format("request {} was dispatched while it was not in the queue", record->number));
    }
    if (!record->live(now)) {
      Fail(fmt::format("request {} was dispatched after it was cancelled or expired",
                       record->number));
    }
  }
  if (scenario_.policy.dynamic) {
    CheckFirst(batch, closed, now);
  }
  CheckComposition(batch, total, now);
  for (Record* record : batch) {
    std::erase(queued_, record);
    record->executed = true;
    record->place = Place::kExecuting;
  }
  if (scenario_.policy.dynamic && !closed && !scenario_.policies.Reorders()) {
    CheckDue(batch, total, now);
  }
}

void Checker::CheckComposition(const std::vector<Record*>& batch, std::int64_t total, Nanos now) {
  if (!scenario_.policy.dynamic && batch.size() != 1) {
    Fail(fmt::format("a batch of {} requests without dynamic batching", batch.size()));
  }
  if (batch.size() > 1 && total > scenario_.policy.batch_size_max) {
    Fail(fmt::format("a batch of {} exceeds the limit", total));
  }
  for (const Record* record : batch) {
    if (scenario_.policy.dynamic && record->shape != batch.front()->shape) {
      Fail(fmt::format("requests {} and {} of different shape share a batch", batch.front()->number,
                       record->number));
    }
  }
  std::vector<Record*> line = InOrder(now);
  if (scenario_.policy.dynamic) {
    std::erase_if(line, [&](const Record* r) { return r->shape != batch.front()->shape; });
  }
  // CheckFirst says whether it may begin where it does.
  auto next = scenario_.policies.Reorders() ? std::find(line.begin(), line.end(), batch.front())
                                            : line.begin();
  for (const Record* record : batch) {
    if (next == line.end() || *next != record) {
      Fail(fmt::format("request {} was dispatched out of turn", record->number));
      return;
    }
    ++next;
  }
}

void Checker::CheckFirst(const std::vector<Record*>& batch, bool closed, Nanos now) {
  const auto oldest =
      std::find_if(queued_.begin(), queued_.end(), [now](const Record* r) { return r->live(now); });
  if (oldest == queued_.end()) {
    return;
  }
  const auto in_batch = [&batch](const Record* record) {
    return std::find(batch.begin(), batch.end(), record) != batch.end();
  };
  const QueuePolicies& policies = scenario_.policies;
  if (!policies.Reorders()) {
    if ((closed || WaitedOut(**oldest, now)) && !in_batch(*oldest)) {
      Fail(fmt::format("request {} has waited out the delay and was passed over",
                       (*oldest)->number));
    }
    return;
  }
  const bool turn_of_oldest = policies.level_count > 1 && policies.passed_over_batches_max > 0 &&
                              passed_over_ >= policies.passed_over_batches_max;
  const Record* first = turn_of_oldest ? *oldest : InOrder(now).front();
  if (batch.front() != first) {
    Fail(fmt::format("a batch began with request {} where it was the turn of {}",
                     batch.front()->number, first->number));
  }
  passed_over_ = in_batch(*oldest) ? 0 : passed_over_ + 1;
  if (!closed && !SomethingIsDue(now)) {
    Fail(fmt::format("request {} went out before anything was due", batch.front()->number));
  }
}

std::vector<Checker::Record*> Checker::InOrder(Nanos now) const {
  std::vector<Record*> line;
  std::copy_if(queued_.begin(), queued_.end(), std::back_inserter(line),
               [now](const Record* r) { return r->live(now); });
  // By lane; within one in the order in which they came into it.
  std::stable_sort(line.begin(), line.end(), [now](const Record* a, const Record* b) {
    const std::uint32_t lane_a = a->lane(now), lane_b = b->lane(now);
    const bool late = a->delays && a->expiry <= now;
    return lane_a != lane_b ? lane_a < lane_b : late && a->expiry < b->expiry;
  });
  return line;
}

bool Checker::SomethingIsDue(Nanos now) const {
  std::map<std::uint64_t, std::int64_t> waiting;
  const auto& sizes = scenario_.policy.preferred_sizes;
  const std::int64_t smallest = sizes.empty() ? scenario_.policy.batch_size_max : sizes.front();
  return std::any_of(queued_.begin(), queued_.end(), [&](const Record* r) {
    return r->live(now) && (WaitedOut(*r, now) || (waiting[r->shape] += r->batch_size) >= smallest);
  });
}

void Checker::CheckDue(const std::vector<Record*>& batch, std::int64_t total, Nanos now) {
  const auto& sizes = scenario_.policy.preferred_sizes;
  const bool preferred = sizes.empty()
                             ? total == scenario_.policy.batch_size_max
                             : std::find(sizes.begin(), sizes.end(), total) != sizes.end();
  const auto next = std::find_if(queued_.begin(), queued_.end(), [&](const Record* r) {
    return r->shape == batch.front()->shape && r->live(now);
  });
  const bool full =
      next != queued_.end() && total + (*next)->batch_size > scenario_.policy.batch_size_max;
  if (!preferred && !full && total < LargestPreferred() && !WaitedOut(*batch.front(), now)) {
    Fail(fmt::format("a batch of {} went out before it was due", total));
  }
}

void Checker::Ended(Record& record, const Status& status) {
  if (++record.ends > 1) {
    Fail(fmt::format("request {} ended twice", record.number));
  }
  std::erase(queued_, &record);
  record.place = Place::kEnded;
  const bool ordered = record.executed && status.code() != StatusCode::kUnavailable &&
                       status.code() != StatusCode::kCancelled;
  if (scenario_.preserve_ordering && ordered) {
    if (record.number < last_answered_) {
      Fail(fmt::format("request {} was answered after request {}", record.number, last_answered_));
    }
    last_answered_ = record.number;
  }
}

void Checker::CheckPlaces(const QueueUnderTest& queue) {
  const std::vector<const InferRequest*> contents = queue.Contents();
  std::size_t bytes = 0;
  bool same = contents.size() == queued_.size();
  for (std::size_t i = 0; same && i < contents.size(); ++i) {
    same = contents[i]->correlation_id == queued_[i]->number;
    bytes += contents[i]->byte_size;
  }
  if (!same) {
    Fail(fmt::format("the queue holds {} requests where {} should be, or others", contents.size(),
                     queued_.size()));
    return;
  }
  if (queue.depth() != contents.size() || queue.byte_size() != bytes) {
    Fail(fmt::format("the queue's sums are wrong: {} requests of {} bytes", queue.depth(),
                     queue.byte_size()));
  }
  if (contents.size() > scenario_.limits.request_count_max ||
      bytes > scenario_.limits.byte_size_max) {
    Fail("the queue has passed a limit");
  }
  std::map<std::uint32_t, std::size_t> of_level;
  for (const Record* record : queued_) {
    const std::size_t max = scenario_.policies.Of(record->level).request_count_max;
    if (++of_level[record->level] > max && max > 0) {
      Fail(fmt::format("level {} of the queue has passed its limit", record->level));
    }
  }
}

void Checker::CheckBeforeTimeMoves(Nanos now, bool closed, std::size_t parked, std::size_t waking) {
  for (const Record* record : queued_) {
    if (record->rejected(now)) {
      Fail(fmt::format("request {} waits though its timeout is over", record->number));
      return;
    }
  }
  if (parked == 0 || waking > 0) {
    return;
  }
  std::map<std::uint64_t, std::int64_t> waiting;
  for (const Record* record : queued_) {
    if (!record->live(now)) {
      continue;
    }
    if (closed || !scenario_.policy.dynamic || WaitedOut(*record, now)) {
      Fail(fmt::format("request {} waits beyond its delay while an instance is idle",
                       record->number));
      return;
    }
    if ((waiting[record->shape] += record->batch_size) >= LargestPreferred()) {
      Fail(fmt::format("a full batch with request {} waits while an instance is idle",
                       record->number));
      return;
    }
  }
}

void Checker::CheckEnd(const QueueUnderTest& queue, int runners_left) {
  for (const Record& record : records_) {
    if (record.ends != 1) {
      Fail(fmt::format("request {} ended {} times", record.number, record.ends));
    }
  }
  if (!queue.empty() || queue.byte_size() != 0) {
    Fail("the queue is not empty in the end");
  }
  if (runners_left != 0) {
    Fail(fmt::format("{} runners are still there after the queue was closed", runners_left));
  }
}

}  // namespace headrace::engine::simulator
