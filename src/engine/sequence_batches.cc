// SequenceCore: which requests of a seat's sequences make a batch.
#include <algorithm>
#include <utility>

#include "engine/sequence_core.h"

namespace headrace::engine {
namespace {

constexpr std::uint32_t kEnd = 2;

bool IsDead(const InferRequest& request, Nanos now) {
  return request.deadline <= now || request.Cancelled();
}

}  // namespace

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
  BatchPolicyOptions policy{.dynamic = true,
                            .batch_size_max = std::max<std::int64_t>(1, options_.batch_size_max),
                            .preferred_sizes = options_.preferred_sizes,
                            .queue_delay_max = closed_ ? 0 : options_.queue_delay_max};
  for (const auto& [key, sequence] : seat.ready) {
    // One more than fits, so that the policy sees that the batch is full.
    if (static_cast<std::int64_t>(sizes.size()) > policy.batch_size_max) {
      break;
    }
    if (sequence->pending.front().shape_key == shape) {
      candidates.push_back(sequence);
      sizes.push_back(1);
    }
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

}  // namespace headrace::engine
