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

// The lanes of a level: of what is in time, and the one after it.
constexpr std::uint32_t FirstLaneOf(std::uint32_t level) { return (level - 1) * 2; }
constexpr std::uint32_t LevelOfLane(std::uint32_t lane) { return lane / 2 + 1; }

std::pair<Nanos, std::uint64_t> ExpiryKey(const InferRequest& request) {
  return {request.queue_expiry, request.queue_ticket};
}

bool IsQueued(const InferRequest& request) {
  return static_cast<const ListNode<ArrivalTag>&>(request).linked();
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

QueueCore::QueueCore(BatchPolicyOptions policy, QueueLimits limits, QueuePolicies policies,
                     DecideFunction decide)
    : policy_(std::move(policy)),
      closing_policy_(WithoutDelay(policy_)),
      limits_(limits),
      policies_(policy_.dynamic ? std::move(policies) : QueuePolicies()),
      decide_(decide),
      tracks_ready_(policy_.dynamic && policy_.queue_delay_max > 0),
      has_lanes_(policies_.Reorders()),
      level_depths_(policies_.level_count + 1),
      hold_until_count_(limits.hold_until_count) {}

QueueCore::~QueueCore() {
  RequestList rest;
  TakeAll(rest);
  Take(rest);
}

QueueCore::PushResult QueueCore::Push(std::unique_ptr<InferRequest>& request, Nanos now) {
  if (closed_) {
    return PushResult::kClosed;
  }
  const std::uint32_t level = policies_.LevelOf(request->priority);
  const QueuePolicy& own = policies_.Of(level);
  if (depth() >= limits_.request_count_max ||
      (own.request_count_max > 0 && level_depths_[level] >= own.request_count_max)) {
    return PushResult::kTooManyRequests;
  }
  if (request->byte_size > limits_.byte_size_max - byte_size_) {
    return PushResult::kTooManyBytes;
  }
  InferRequest& entry = *request.release();
  // Whoever got the lock first is the older one, also when it read the clock a little later.
  last_queued_ = std::max(last_queued_, now);
  entry.times.queued = last_queued_;
  entry.lane = FirstLaneOf(level);
  entry.queue_ticket = ++last_ticket_;
  byte_size_ += entry.byte_size;
  batch_size_total_ += entry.batch_size;
  ++level_depths_[level];
  entry.queue_expiry = own.Expiry(last_queued_, entry.timeout_us);
  if (entry.queue_expiry != kNever) {
    expiries_.emplace(ExpiryKey(entry), &entry);
  }
  arrivals_.PushBack(entry);
  if (has_lanes_) {
    lanes_.PushBack(entry);
  }
  if (policy_.dynamic) {
    Group& group = GroupFor(entry.shape_key);
    group.line.PushBack(entry);
    group.total += entry.batch_size;
    if (tracks_ready_ && SizeIsDue(policy_, group.total)) {
      SetReady(group, true);
    }
  }
  if (depth() >= hold_until_count_) {
    hold_until_count_ = 0;
  }
  return PushResult::kAccepted;
}

void QueueCore::TryPop(Nanos now, Popped& popped) {
  Expire(now, popped);
  if (held_back()) {
    return;
  }
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
    if (has_lanes_) {
      PopByLane(*oldest, waited_out, now, popped);
      continue;
    }
    Group& group = waited_out ? GroupFor(oldest->shape_key) : ready_.front();
    if (!PopFrom(group, now, popped) && waited_out) {
      return;  // only a policy that breaks its promise gets here
    }
  }
}

void QueueCore::Expire(Nanos now, Popped& popped) {
  while (next_expiry() <= now) {
    InferRequest& request = *expiries_.begin()->second;
    Group& group = GroupFor(request.shape_key);
    if (policies_.Of(LevelOfLane(request.lane)).timeout_action == TimeoutAction::kReject) {
      Drop(request, popped);
      ForgetIfIdle(group);
      continue;
    }
    expiries_.erase(expiries_.begin());
    group.line.Remove(request);
    lanes_.Remove(request);
    ++request.lane;
    group.line.PushBack(request);
    lanes_.PushBack(request);
  }
}

void QueueCore::Collect(Group& group, InferRequest* first, Nanos now, Popped& popped) {
  candidates_.clear();
  batch_sizes_.clear();
  std::int64_t total = 0;
  // One request more than fits, so that the policy sees that the batch is full.
  for (InferRequest* request = first; request != nullptr && total <= policy_.batch_size_max;) {
    InferRequest* next = group.line.Next(*request);
    if (IsDead(*request, now)) {
      Drop(*request, popped);
    } else {
      candidates_.push_back(request);
      batch_sizes_.push_back(request->batch_size);
      total += request->batch_size;
    }
    request = next;
  }
}

Decision QueueCore::Ask(const BatchPolicyOptions& policy, Nanos now) {
  return decide_(policy, {batch_sizes_, candidates_.front()->times.queued}, now);
}

void QueueCore::Give(Group& group, std::size_t count, Popped& popped) {
  HEADRACE_CHECK(count > 0 && count <= candidates_.size());
  for (std::size_t i = 0; i < count; ++i) {
    Unlink(*candidates_[i]);
    popped.batch.PushBack(*candidates_[i]);
  }
  // Lines up again behind the other full groups.
  SetReady(group, false);
  SetReady(group, tracks_ready_ && SizeMayBeDue(policy_, group.total));
  ForgetIfIdle(group);
}

bool QueueCore::PopFrom(Group& group, Nanos now, Popped& popped) {
  const std::size_t dropped = popped.dropped.size();
  Collect(group, group.line.First(), now, popped);
  if (candidates_.empty()) {
    ForgetIfIdle(group);
    return true;
  }
  const Decision decision = Ask(closed_ ? closing_policy_ : policy_, now);
  if (const auto* wait = std::get_if<WaitUntil>(&decision)) {
    SetReady(group, false);
    popped.wait_until = wait->time;
    return popped.dropped.size() > dropped;
  }
  Give(group, std::get<Dispatch>(decision).request_count, popped);
  return true;
}

bool QueueCore::StillReady(Group& group, Nanos now, Popped& popped) {
  Collect(group, group.line.First(), now, popped);
  const bool ready = !candidates_.empty() && std::holds_alternative<Dispatch>(Ask(policy_, now));
  if (!ready) {
    SetReady(group, false);
    ForgetIfIdle(group);
  }
  return ready;
}

void QueueCore::PopByLane(InferRequest& oldest, bool waited_out, Nanos now, Popped& popped) {
  if (!waited_out && !StillReady(ready_.front(), now, popped)) {
    return;
  }
  InferRequest* first = FirstOfLanes(now, popped);
  // A client may leave at any moment: also what was alive above may have been dropped since.
  if (policies_.level_count > 1 && policies_.passed_over_batches_max > 0 &&
      passed_over_ >= policies_.passed_over_batches_max && IsQueued(oldest)) {
    first = &oldest;
  }
  if (first == nullptr) {
    return;
  }
  Group& group = GroupFor(first->shape_key);
  Collect(group, first, now, popped);
  if (candidates_.empty()) {
    ForgetIfIdle(group);
    return;
  }
  const Decision decision = Ask(closing_policy_, now);
  const auto* dispatch = std::get_if<Dispatch>(&decision);
  Give(group, dispatch == nullptr ? 1 : dispatch->request_count, popped);
  passed_over_ = IsQueued(oldest) ? passed_over_ + 1 : 0;
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
  if (empty() || held_back()) {
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
  --level_depths_[LevelOfLane(request.lane)];
  if (request.queue_expiry != kNever) {
    expiries_.erase(ExpiryKey(request));
  }
  if (has_lanes_) {
    lanes_.Remove(request);
  }
  if (policy_.dynamic) {
    Group& group = GroupFor(request.shape_key);
    group.line.Remove(request);
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

InferRequest* QueueCore::FirstOfLanes(Nanos now, Popped& popped) {
  while (InferRequest* first = lanes_.First()) {
    if (!IsDead(*first, now)) {
      return first;
    }
    Drop(*first, popped);
    ForgetIfIdle(GroupFor(first->shape_key));
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
  if (!group.line.empty()) {
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
