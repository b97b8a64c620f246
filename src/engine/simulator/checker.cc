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

void Checker::Accepted(Record& record, Nanos now) {
  record.place = Place::kQueued;
  record.queued = now;
  queued_.push_back(&record);
}

void Checker::Refused(Record& record, QueueCore::PushResult result, bool closed) {
  std::size_t bytes = 0;
  for (const Record* queued : queued_) {
    bytes += queued->byte_size;
  }
  const bool justified = closed ? result == QueueCore::PushResult::kClosed
                                : queued_.size() >= scenario_.limits.request_count_max ||
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
  const auto oldest =
      std::find_if(queued_.begin(), queued_.end(), [now](const Record* r) { return r->live(now); });
  if (scenario_.policy.dynamic && oldest != queued_.end() && (closed || WaitedOut(**oldest, now)) &&
      std::find(batch.begin(), batch.end(), *oldest) == batch.end()) {
    Fail(fmt::format("request {} has waited out the delay and was passed over", (*oldest)->number));
  }
  CheckComposition(batch, total, now);
  for (Record* record : batch) {
    std::erase(queued_, record);
    record->executed = true;
    record->place = Place::kExecuting;
  }
  if (scenario_.policy.dynamic && !closed) {
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
  std::size_t next = 0;
  for (const Record* queued : queued_) {
    const bool same_line = !scenario_.policy.dynamic || queued->shape == batch.front()->shape;
    if (next == batch.size() || !same_line || !queued->live(now)) {
      continue;
    }
    if (queued != batch[next]) {
      Fail(fmt::format("request {} was dispatched before the older request {}", batch[next]->number,
                       queued->number));
      return;
    }
    ++next;
  }
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
}

void Checker::CheckBeforeTimeMoves(Nanos now, bool closed, std::size_t parked, std::size_t waking) {
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
