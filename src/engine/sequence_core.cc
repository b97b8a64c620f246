#include "engine/sequence_core.h"

#include <algorithm>

#include "base/check.h"
#include "engine/sequence_controls.h"

namespace headrace::engine {
namespace {

constexpr std::uint32_t kStart = 1, kEnd = 2;

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
    return refuse(Unavailable("[request id: {}] {}", IdOf(*request), kQueueFullText),
                  FailureReason::kRejected);
  }
  Sequence* sequence = id.empty() ? nullptr : Find(id, now);
  if (Status status = CheckRoom(*request, sequence); !status.ok()) {
    return refuse(std::move(status), FailureReason::kRejected);
  }
  if (sequence == nullptr && options_.starts_by_itself && !id.empty()) {
    request->sequence_flags |= kStart;
  }
  if (options_.iterative && sequence == nullptr && request->sequence_flags == 0) {
    request->sequence_flags = kStart | kEnd;
  }
  const bool start = (request->sequence_flags & kStart) != 0;
  if (sequence == nullptr && !start) {
    return refuse(
        InvalidArgument("inference request for sequence {} to model '{}' must specify the START "
                        "flag on the first request of the sequence",
                        id.ToString(), model_name_));
  }
  result.restarted = sequence != nullptr && start;
  if (sequence == nullptr) {
    sequence = &Start(std::move(id), now);
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

// Without the request's id, as the stock server has it.
Status SequenceCore::CheckRequest(const InferRequest& request, const SequenceId& id) const {
  if (request.batch_size > 1) {
    return InvalidArgument(
        "inference request to model '{}' must specify batch-size 1 due to requirements of sequence "
        "batcher",
        model_name_);
  }
  if (id.empty() && !options_.iterative) {
    return InvalidArgument(
        "inference request to model '{}' must specify a non-zero or non-empty correlation ID",
        model_name_);
  }
  if (id.text.size() > SequenceId::kTextSizeMax) {
    return InvalidArgument(
        "string correlation ID cannot be longer than {} characters; that of a request to model "
        "'{}' has {}",
        SequenceId::kTextSizeMax, model_name_, id.text.size());
  }
  return CheckIdKind(options_, id, model_name_);
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
  if (options_.age_max != kNever && now - sequence.begun >= options_.age_max) {
    Conclude(sequence);
    return nullptr;
  }
  return &sequence;
}

void SequenceCore::Conclude(Sequence& sequence) {
  sequence.concluded = true;
  if (IsIdle(sequence)) {
    Finish(sequence, End::kEnded, nullptr);
  } else {
    Hide(sequence);
  }
}

Status SequenceCore::CheckRoom(const InferRequest& request, const Sequence* sequence) const {
  if (sequence != nullptr && sequence->pending.size() >= options_.pending_count_max) {
    return Unavailable("[request id: {}] {} requests of sequence {} to model '{}' wait already",
                       IdOf(request), options_.pending_count_max, sequence->id.ToString(),
                       model_name_);
  }
  if (sequence == nullptr && figures_.live + figures_.backlog >= options_.sequence_count_max) {
    return Unavailable("[request id: {}] model '{}' has {} sequences already, more are not allowed",
                       IdOf(request), model_name_, options_.sequence_count_max);
  }
  return OkStatus();
}

SequenceCore::Sequence& SequenceCore::Start(SequenceId id, Nanos now) {
  auto owned = std::make_unique<Sequence>(std::move(id), options_);
  Sequence& sequence = *owned;
  ++figures_.started;
  sequence.begun = now;
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
  if (sequence.pending.empty() && (sequence.ending || sequence.concluded || closed_)) {
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
