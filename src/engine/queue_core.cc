#include "engine/queue_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace headrace::engine {
namespace {

BatchPolicyOptions WithoutDelay(BatchPolicyOptions policy) {
  policy.queue_delay_max = 0;
  return policy;
}

bool IsDead(const InferRequest& request, Nanos now) {
  return request.deadline <= now || request.Cancelled();
}

}  // namespace

std::vector<std::unique_ptr<InferRequest>> Take(QueueCore::RequestList& list) {
  std::vector<std::unique_ptr<InferRequest>> requests;
  requests.reserve(list.size());
  while (!list.empty()) {
    requests.emplace_back(&list.PopFront());
  }
  return requests;
}

QueueCore::Popped::~Popped() {
  Take(batch);
  Take(dropped);
}

QueueCore::QueueCore(BatchPolicyOptions policy, QueueLimits limits, DecideFunction decide)
    : policy_(std::move(policy)),
      closing_policy_(WithoutDelay(policy_)),
      limits_(limits),
      decide_(decide),
      tracks_ready_(policy_.dynamic && policy_.queue_delay_max > 0) {}

QueueCore::~QueueCore() {
  RequestList rest;
  TakeAll(rest);
  Take(rest);
}

QueueCore::PushResult QueueCore::Push(std::unique_ptr<InferRequest>& request, Nanos now) {
  if (closed_) {
    return PushResult::kClosed;
  }
  if (depth() >= limits_.request_count_max) {
    return PushResult::kTooManyRequests;
  }
  if (request->byte_size > limits_.byte_size_max - byte_size_) {
    return PushResult::kTooManyBytes;
  }
  InferRequest& entry = *request.release();
  // Whoever got the lock first is the older one, also when it read the clock a little later.
  last_queued_ = std::max(last_queued_, now);
  entry.times.queued = last_queued_;
  byte_size_ += entry.byte_size;
  batch_size_total_ += entry.batch_size;
  arrivals_.PushBack(entry);
  if (policy_.dynamic) {
    Group& group = GroupFor(entry.shape_key);
    group.fifo.PushBack(entry);
    group.total += entry.batch_size;
    if (tracks_ready_ && SizeIsDue(policy_, group.total)) {
      SetReady(group, true);
    }
  }
  return PushResult::kAccepted;
}

void QueueCore::TryPop(Nanos now, Popped& popped) {
  while (popped.batch.empty()) {
    popped.wait_until = kNever;
    InferRequest* oldest = OldestLive(now, popped);
    if (oldest == nullptr) {
      return;
    }
    if (!policy_.dynamic) {
      Unlink(*oldest);
      popped.batch.PushBack(*oldest);
      return;
    }
    const bool waited_out = closed_ || WaitedOut(*oldest, now);
    if (!waited_out && ready_.empty()) {
      popped.wait_until = oldest->times.queued + policy_.queue_delay_max;
      return;
    }
    Group& group = waited_out ? GroupFor(oldest->shape_key) : ready_.front();
    if (!PopFrom(group, now, popped) && waited_out) {
      return;  // only a policy that breaks its promise gets here
    }
  }
}

bool QueueCore::PopFrom(Group& group, Nanos now, Popped& popped) {
  batch_sizes_.clear();
  std::int64_t total = 0;
  bool dropped = false;
  // One request more than fits, so that the policy sees that the batch is full.
  for (InferRequest* request = group.fifo.First();
       request != nullptr && total <= policy_.batch_size_max;) {
    InferRequest* next = group.fifo.Next(*request);
    if (IsDead(*request, now)) {
      Drop(*request, popped);
      dropped = true;
    } else {
      batch_sizes_.push_back(request->batch_size);
      total += request->batch_size;
    }
    request = next;
  }
  if (batch_sizes_.empty()) {
    ForgetIfIdle(group);
    return true;
  }
  const QueueView view{batch_sizes_, group.fifo.front().times.queued};
  const Decision decision = decide_(closed_ ? closing_policy_ : policy_, view, now);
  if (const auto* wait = std::get_if<WaitUntil>(&decision)) {
    SetReady(group, false);
    popped.wait_until = wait->time;
    return dropped;
  }
  const std::size_t count = std::get<Dispatch>(decision).request_count;
  HEADRACE_CHECK(count > 0 && count <= batch_sizes_.size());
  for (std::size_t i = 0; i < count; ++i) {
    InferRequest& request = group.fifo.front();
    Unlink(request);
    popped.batch.PushBack(request);
  }
  // Lines up again behind the other full groups.
  SetReady(group, false);
  SetReady(group, tracks_ready_ && SizeMayBeDue(policy_, group.total));
  ForgetIfIdle(group);
  return true;
}

void QueueCore::TakeAll(RequestList& out) {
  while (InferRequest* request = arrivals_.First()) {
    Unlink(*request);
    out.PushBack(*request);
  }
  while (!ready_.empty()) {
    ready_.PopFront();
  }
  groups_.clear();
  last_group_ = nullptr;
}

bool QueueCore::Due(Nanos now) const {
  if (empty()) {
    return false;
  }
  if (closed_ || !tracks_ready_ || !ready_.empty()) {
    return true;
  }
  return WaitedOut(*arrivals_.First(), now);
}

bool QueueCore::HasWorkBeyond(std::size_t waking) const {
  if (!policy_.dynamic) {
    return depth() > waking;
  }
  // Not the exact number of batches (shapes split them): whoever pops asks again for the rest.
  return !empty() && (waking == 0 || batch_size_total_ / policy_.batch_size_max >=
                                         static_cast<std::int64_t>(waking) + 1);
}

QueueCore::Group& QueueCore::GroupFor(std::uint64_t key) {
  if (last_group_ == nullptr || last_group_->key != key) {
    last_group_ = &groups_[key];
    last_group_->key = key;
  }
  return *last_group_;
}

void QueueCore::Unlink(InferRequest& request) {
  arrivals_.Remove(request);
  byte_size_ -= request.byte_size;
  batch_size_total_ -= request.batch_size;
  if (policy_.dynamic) {
    Group& group = GroupFor(request.shape_key);
    group.fifo.Remove(request);
    group.total -= request.batch_size;
  }
}

void QueueCore::Drop(InferRequest& request, Popped& popped) {
  Unlink(request);
  popped.dropped.PushBack(request);
}

InferRequest* QueueCore::OldestLive(Nanos now, Popped& popped) {
  while (InferRequest* oldest = arrivals_.First()) {
    if (!IsDead(*oldest, now)) {
      return oldest;
    }
    Drop(*oldest, popped);
    if (policy_.dynamic) {
      ForgetIfIdle(GroupFor(oldest->shape_key));
    }
  }
  return nullptr;
}

void QueueCore::SetReady(Group& group, bool ready) {
  if (group.linked() == ready) {
    return;
  }
  if (ready) {
    ready_.PushBack(group);
  } else {
    ready_.Remove(group);
  }
}

void QueueCore::ForgetIfIdle(Group& group) {
  if (!group.fifo.empty()) {
    return;
  }
  SetReady(group, false);
  if (groups_.size() > kIdleGroupsMax) {
    if (last_group_ == &group) {
      last_group_ = nullptr;
    }
    groups_.erase(group.key);
  }
}

bool QueueCore::WaitedOut(const InferRequest& request, Nanos now) const {
  return now - request.times.queued >= policy_.queue_delay_max;
}

}  // namespace headrace::engine
