#include "engine/sequence_core.h"

#include <algorithm>

#include "base/check.h"
#include "engine/sequence_controls.h"

namespace headrace::engine {
namespace {

constexpr std::uint32_t kStart = 1, kEnd = 2;

BatchPolicyOptions OldestPolicy(const SequenceOptions& options) {
  return {.dynamic = true,
          .batch_size_max = std::max<std::int64_t>(1, options.batch_size_max),
          .preferred_sizes = options.preferred_sizes,
          .queue_delay_max = options.queue_delay_max};
}

bool IsDead(const InferRequest& request, Nanos now) {
  return request.deadline <= now || request.Cancelled();
}

std::string_view IdOf(const InferRequest& request) {
  return request.id.empty() ? std::string_view("<id_unknown>") : std::string_view(request.id);
}

Nanos Later(Nanos time, std::uint64_t microseconds) {
  const auto room = static_cast<std::uint64_t>((kNever - time) / kMicrosecond);
  return microseconds >= room ? kNever : time + static_cast<Nanos>(microseconds) * kMicrosecond;
}

}  // namespace

SequenceCore::SequenceCore(SequenceOptions options, QueueLimits limits, std::string model_name)
    : options_(std::move(options)),
      limits_(limits),
      model_name_(std::move(model_name)),
      oldest_policy_(OldestPolicy(options_)),
      held_back_(limits.hold_until_count > 0 || limits.hold_until_backlog_count > 0) {}

SequenceCore::~SequenceCore() {
  std::vector<std::unique_ptr<InferRequest>> rest;
  TakeAll(rest);
}

std::size_t SequenceCore::AddSeat() {
  const std::size_t seat = seats_.size();
  seats_.emplace_back().slots.resize(options_.slot_count);
  for (std::size_t slot = 0; slot < options_.slot_count && !backlog_.empty(); ++slot) {
    std::unique_ptr<Sequence> next = std::move(backlog_.front());
    backlog_.pop_front();
    Seize(std::move(next), seat, slot);
  }
  return seat;
}

SequenceCore::PushResult SequenceCore::Push(std::unique_ptr<InferRequest>& request, Nanos now) {
  PushResult result;
  const auto refuse = [&result](Status status, FailureReason reason = FailureReason::kOther) {
    result.status = std::move(status);
    result.reason = reason;
    return result;
  };
  if (closed_) {
    return refuse(Unavailable(
        "[request id: {}] the model is being unloaded and takes no new requests", IdOf(*request)));
  }
  SequenceId id = SequenceId::Of(*request);
  if (Status status = CheckRequest(*request, id); !status.ok()) {
    return refuse(std::move(status));
  }
  if (depth_ >= limits_.request_count_max ||
      request->byte_size > limits_.byte_size_max - byte_size_) {
    return refuse(Unavailable("[request id: {}] Exceeds maximum queue size", IdOf(*request)),
                  FailureReason::kRejected);
  }
  Sequence* sequence = id.empty() ? nullptr : Find(id, now);
  if (options_.iterative && sequence == nullptr && request->sequence_flags == 0) {
    request->sequence_flags = kStart | kEnd;
  }
  const bool start = (request->sequence_flags & kStart) != 0;
  if (sequence == nullptr && !start) {
    return refuse(InvalidArgument(
        "[request id: {}] inference request for sequence {} to model '{}' must specify the START "
        "flag on the first request of the sequence",
        IdOf(*request), id.ToString(), model_name_));
  }
  result.restarted = sequence != nullptr && start;
  if (sequence == nullptr) {
    sequence = &Start(std::move(id));
  }
  last_queued_ = std::max(last_queued_, now);
  request->times.queued = last_queued_;
  Append(*sequence, *request.release());
  result.seat = sequence->seat;
  if (held_back_ && depth_ - backlog_depth_ >= limits_.hold_until_count &&
      backlog_depth_ >= limits_.hold_until_backlog_count) {
    held_back_ = false;
    result.rouse_all = true;
  }
  return result;
}

Status SequenceCore::CheckRequest(const InferRequest& request, const SequenceId& id) const {
  if (request.batch_size > 1) {
    return InvalidArgument(
        "[request id: {}] inference request to model '{}' must specify batch-size 1 due to "
        "requirements of sequence batcher",
        IdOf(request), model_name_);
  }
  if (id.empty() && !options_.iterative) {
    return InvalidArgument(
        "[request id: {}] inference request to model '{}' must specify a non-zero or non-empty "
        "correlation ID",
        IdOf(request), model_name_);
  }
  if (id.text.size() > SequenceId::kTextSizeMax) {
    return InvalidArgument(
        "[request id: {}] string correlation ID cannot be longer than {} characters for model "
        "'{}', but this one has {}",
        IdOf(request), SequenceId::kTextSizeMax, model_name_, id.text.size());
  }
  return CheckIdKind(options_, id, model_name_)
      .WithPrefix(fmt::format("[request id: {}] ", IdOf(request)));
}

SequenceCore::Sequence* SequenceCore::Find(const SequenceId& id, Nanos now) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    return nullptr;
  }
  Sequence& sequence = *found->second;
  if (IsIdle(sequence) && now - sequence.idle_since >= options_.idle_max) {
    Finish(sequence, End::kIdled, nullptr);
    return nullptr;
  }
  return &sequence;
}

SequenceCore::Sequence& SequenceCore::Start(SequenceId id) {
  auto owned = std::make_unique<Sequence>(std::move(id), options_);
  Sequence& sequence = *owned;
  ++figures_.started;
  sequence.findable = !sequence.id.empty();
  if (sequence.findable) {
    by_id_[sequence.id] = &sequence;
  }
  for (std::size_t slot = 0; slot < options_.slot_count; ++slot) {
    for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
      if (!seats_[seat].retiring && seats_[seat].slots[slot] == nullptr) {
        Seize(std::move(owned), seat, slot);
        return sequence;
      }
    }
  }
  sequence.backlog_place = backlog_.insert(backlog_.end(), std::move(owned));
  ++figures_.backlog;
  return sequence;
}

void SequenceCore::Seize(std::unique_ptr<Sequence> owned, std::size_t seat, std::size_t slot) {
  Sequence& sequence = *owned;
  const bool from_backlog = !sequence.pending.empty();
  sequence.seat = seat;
  sequence.slot = slot;
  seats_[seat].slots[slot] = std::move(owned);
  ++seats_[seat].occupied;
  ++figures_.live;
  if (from_backlog) {
    --figures_.backlog;
    backlog_depth_ -= sequence.pending.size();
    backlog_expiries_.erase(sequence.backlog_expiry);
    SetReady(sequence, true);
  }
}

void SequenceCore::Append(Sequence& sequence, InferRequest& request) {
  request.queue_ticket = ++last_ticket_;
  ++depth_;
  byte_size_ += request.byte_size;
  StopIdling(sequence);
  sequence.pending.PushBack(request);
  if ((request.sequence_flags & kEnd) != 0) {
    Hide(sequence);
  }
  if (sequence.seat != kNoSeat) {
    SetReady(sequence, true);
    return;
  }
  ++backlog_depth_;
  const Key expiry{Later(request.times.queued, request.timeout_us), request.queue_ticket};
  if (request.timeout_us > 0 && expiry < sequence.backlog_expiry) {
    backlog_expiries_.erase(sequence.backlog_expiry);
    sequence.backlog_expiry = expiry;
    backlog_expiries_[expiry] = &sequence;
  }
}

void SequenceCore::TryPop(std::size_t seat, Nanos now, Popped& popped) {
  if (held_back()) {
    return;
  }
  Seat& own = seats_[seat];
  DropDead(own, now, popped.dropped);
  if (own.ready.empty()) {
    return;
  }
  if (options_.direct) {
    PopDirect(own, now, popped);
  } else {
    PopOldest(own, now, popped);
  }
}

void SequenceCore::DropDead(Seat& seat, Nanos now, std::vector<Dropped>& dropped) {
  for (auto at = seat.ready.begin(); at != seat.ready.end();) {
    const Key key = at->first;
    const std::size_t slot = at->second->slot;
    bool ended = false;
    // The end of one sequence may let another into its slot.
    for (Sequence* next = at->second; next != nullptr && IsDead(next->pending.front(), now);
         next = seat.slots[slot].get()) {
      Finish(*next, End::kCancelled, &dropped);
      ended = true;
    }
    at = ended ? seat.ready.upper_bound(key) : std::next(at);
  }
}

void SequenceCore::PopDirect(Seat& seat, Nanos now, Popped& popped) {
  const Nanos oldest = seat.ready.begin()->first.first;
  const double wanted = options_.slot_utilization_min * static_cast<double>(options_.slot_count);
  if (!closed_ && static_cast<double>(seat.ready.size()) < wanted &&
      now - oldest < options_.queue_delay_max) {
    popped.wait_until =
        oldest > kNever - options_.queue_delay_max ? kNever : oldest + options_.queue_delay_max;
    return;
  }
  const std::uint64_t shape = seat.ready.begin()->second->pending.front().shape_key;
  std::size_t used = seat.slots.size();
  while (seat.slots[used - 1] == nullptr) {
    --used;
  }
  for (std::size_t slot = 0; slot < used; ++slot) {
    Sequence* sequence = seat.slots[slot].get();
    if (sequence != nullptr && !sequence->in_flight && !sequence->pending.empty() &&
        sequence->pending.front().shape_key == shape) {
      Give(*sequence, popped);
    } else {
      popped.batch.emplace_back();
      popped.sequences.push_back(nullptr);
    }
  }
}

void SequenceCore::PopOldest(Seat& seat, Nanos now, Popped& popped) {
  const std::uint64_t shape = seat.ready.begin()->second->pending.front().shape_key;
  std::vector<Sequence*> candidates;
  std::vector<std::int64_t> sizes;
  for (const auto& [key, sequence] : seat.ready) {
    // One more than fits, so that the policy sees that the batch is full.
    if (static_cast<std::int64_t>(sizes.size()) > oldest_policy_.batch_size_max) {
      break;
    }
    if (sequence->pending.front().shape_key == shape) {
      candidates.push_back(sequence);
      sizes.push_back(1);
    }
  }
  BatchPolicyOptions policy = oldest_policy_;
  if (closed_) {
    policy.queue_delay_max = 0;
  }
  const Decision decision = DecideBatch(policy, {sizes, seat.ready.begin()->first.first}, now);
  if (const auto* wait = std::get_if<WaitUntil>(&decision)) {
    popped.wait_until = wait->time;
    return;
  }
  candidates.resize(std::get<Dispatch>(decision).request_count);
  for (Sequence* sequence : candidates) {
    Give(*sequence, popped);
  }
}

void SequenceCore::Give(Sequence& sequence, Popped& popped) {
  SetReady(sequence, false);
  std::unique_ptr<InferRequest> request = TakeHead(sequence);
  sequence.in_flight = true;
  sequence.ending = (request->sequence_flags & kEnd) != 0;
  popped.batch.push_back(std::move(request));
  popped.sequences.push_back(&sequence);
}

std::unique_ptr<InferRequest> SequenceCore::TakeHead(Sequence& sequence) {
  std::unique_ptr<InferRequest> request(&sequence.pending.PopFront());
  --depth_;
  byte_size_ -= request->byte_size;
  if (sequence.seat == kNoSeat) {
    --backlog_depth_;
  }
  return request;
}

std::size_t SequenceCore::Released(Sequence& sequence, Nanos now,
                                   std::unique_ptr<InferRequest> again) {
  const std::size_t seat = sequence.seat;
  sequence.in_flight = false;
  if (again != nullptr) {
    InferRequest& request = *again.release();
    request.sequence_flags &= ~kStart;
    request.times.queued = last_queued_ = std::max(last_queued_, now);
    request.queue_ticket = ++last_ticket_;
    ++depth_;
    byte_size_ += request.byte_size;
    sequence.pending.PushFront(request);
  }
  if (sequence.pending.empty() && (sequence.ending || closed_)) {
    Finish(sequence, End::kEnded, nullptr);
  } else if (sequence.pending.empty()) {
    SetIdle(sequence, now);
  } else {
    SetReady(sequence, true);
  }
  return seat;
}

void SequenceCore::SetReady(Sequence& sequence, bool ready) {
  std::map<Key, Sequence*>& all = seats_[sequence.seat].ready;
  if (!ready) {
    all.erase(KeyOf(sequence));
  } else if (!sequence.in_flight && !sequence.pending.empty()) {
    all.emplace(KeyOf(sequence), &sequence);
  }
}

SequenceCore::Key SequenceCore::KeyOf(Sequence& sequence) {
  const InferRequest& head = sequence.pending.front();
  return {head.times.queued, head.queue_ticket};
}

void SequenceCore::SetIdle(Sequence& sequence, Nanos now) {
  // Never before an earlier one: the list is by time.
  sequence.idle_since = idle_.empty() ? now : std::max(now, idle_.back().idle_since);
  idle_.PushBack(sequence);
}

void SequenceCore::StopIdling(Sequence& sequence) {
  if (IsIdle(sequence)) {
    idle_.Remove(sequence);
  }
}

void SequenceCore::Hide(Sequence& sequence) {
  if (sequence.findable) {
    by_id_.erase(sequence.id);
    sequence.findable = false;
  }
}

void SequenceCore::Finish(Sequence& sequence, End end, std::vector<Dropped>* dropped) {
  HEADRACE_CHECK(!sequence.in_flight);
  Hide(sequence);
  StopIdling(sequence);
  const bool seated = sequence.seat != kNoSeat;
  if (seated && !sequence.pending.empty()) {
    SetReady(sequence, false);
  }
  while (!sequence.pending.empty()) {
    std::unique_ptr<InferRequest> request = TakeHead(sequence);
    if (end == End::kExpired) {
      dropped->push_back({std::move(request),
                          Unavailable("timeout of the corresponding sequence has been expired"),
                          FailureReason::kRejected});
    } else {
      Status status = Cancelled(
          "[request id: {}] a client of sequence {} has gone before the execution began, which "
          "ends the sequence",
          IdOf(*request), sequence.id.ToString());
      dropped->push_back({std::move(request), std::move(status), FailureReason::kCanceled});
    }
  }
  std::uint64_t* const counters[] = {&figures_.ended, &figures_.idled, &figures_.cancelled,
                                     &figures_.expired};
  ++*counters[static_cast<std::size_t>(end)];
  if (!seated) {
    backlog_expiries_.erase(sequence.backlog_expiry);
    --figures_.backlog;
    backlog_.erase(sequence.backlog_place);
    return;
  }
  const std::size_t seat = sequence.seat, slot = sequence.slot;
  seats_[seat].slots[slot].reset();
  --seats_[seat].occupied;
  --figures_.live;
  if (!backlog_.empty() && !seats_[seat].retiring) {
    std::unique_ptr<Sequence> next = std::move(backlog_.front());
    backlog_.pop_front();
    Seize(std::move(next), seat, slot);
  }
}

void SequenceCore::Expire(Nanos now, std::vector<Dropped>& dropped,
                          std::vector<std::size_t>& seats) {
  while (!idle_.empty() && now - idle_.front().idle_since >= options_.idle_max) {
    seats.push_back(idle_.front().seat);
    Finish(idle_.front(), End::kIdled, nullptr);
  }
  while (!backlog_expiries_.empty() && backlog_expiries_.begin()->first.first <= now) {
    Finish(*backlog_expiries_.begin()->second, End::kExpired, &dropped);
  }
}

Nanos SequenceCore::next_expiry() const {
  Nanos next = backlog_expiries_.empty() ? kNever : backlog_expiries_.begin()->first.first;
  if (const Sequence* longest = idle_.First();
      longest != nullptr && longest->idle_since <= kNever - options_.idle_max) {
    next = std::min(next, longest->idle_since + options_.idle_max);
  }
  return next;
}

void SequenceCore::Close() {
  closed_ = true;
  while (!idle_.empty()) {
    Finish(idle_.front(), End::kEnded, nullptr);
  }
}

void SequenceCore::TakeAll(std::vector<std::unique_ptr<InferRequest>>& out) {
  const auto empty = [&](Sequence& sequence) {
    if (!sequence.in_flight && !sequence.pending.empty() && sequence.seat != kNoSeat) {
      SetReady(sequence, false);
    }
    while (!sequence.pending.empty()) {
      out.push_back(TakeHead(sequence));
    }
    Hide(sequence);
  };
  while (!backlog_.empty()) {
    Sequence& sequence = *backlog_.front();
    empty(sequence);
    Finish(sequence, End::kEnded, nullptr);
  }
  for (Seat& seat : seats_) {
    for (const auto& sequence : seat.slots) {
      if (sequence == nullptr) {
        continue;
      }
      empty(*sequence);
      if (sequence->in_flight) {
        sequence->ending = true;
      } else {
        Finish(*sequence, End::kEnded, nullptr);
      }
    }
  }
}

}  // namespace headrace::engine
