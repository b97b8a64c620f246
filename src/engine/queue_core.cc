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

// A lane is a level, a bit that says late, and the client's round among what is in time.
constexpr int kRoundBits = 48;
constexpr std::uint64_t kLate = std::uint64_t{1} << kRoundBits;
constexpr std::uint64_t FirstLaneOf(std::uint32_t level) {
  return std::uint64_t{level - 1} * 2 * kLate;
}
constexpr std::uint32_t LevelOfLane(std::uint64_t lane) {
  return static_cast<std::uint32_t>(lane / kLate / 2 + 1);
}
constexpr bool IsLate(std::uint64_t lane) { return (lane & kLate) != 0; }
constexpr std::uint64_t RoundOf(std::uint64_t lane) { return lane & (kLate - 1); }
constexpr std::uint64_t LateLaneOf(std::uint64_t lane) { return (lane - RoundOf(lane)) | kLate; }

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
      reorders_(policies_.Reorders()),
      level_depths_(policies_.level_count + 1),
      hold_until_count_(limits.hold_until_count) {
  if (limits_.fair_to_clients) {
    rounds_.assign(policies_.level_count + 1,
                   ClientRounds(policy_.dynamic ? policy_.batch_size_max : 1));
  }
}

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
  if (empty()) {
    only_client_ = request->client;
  } else if (limits_.fair_to_clients && !taking_turns_ && request->client != only_client_) {
    BeginTurns();
  }
  if (const PushResult room = RoomFor(*request, level);
      room != PushResult::kAccepted && !(taking_turns_ && MakeRoom(*request, level))) {
    return room;
  }
  InferRequest& entry = *request.release();
  // Whoever got the lock first is the older one, also when it read the clock a little later.
  last_queued_ = std::max(last_queued_, now);
  entry.times.queued = last_queued_;
  entry.lane = FirstLaneOf(level);
  if (taking_turns_) {
    entry.lane += rounds_[level].Enter(entry.client, entry.batch_size);
  }
  entry.queue_ticket = ++last_ticket_;
  byte_size_ += entry.byte_size;
  batch_size_total_ += entry.batch_size;
  ++level_depths_[level];
  entry.queue_expiry = policies_.Of(level).Expiry(last_queued_, entry.timeout_us);
  if (entry.queue_expiry != kNever) {
    expiries_.emplace(ExpiryKey(entry), &entry);
  }
  arrivals_.PushBack(entry);
  if (has_lanes()) {
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

void QueueCore::SetQueueDelay(Nanos delay) {
  policy_.queue_delay_max = delay;
  const bool tracked = std::exchange(tracks_ready_, policy_.dynamic && delay > 0);
  if (tracked == tracks_ready_) {
    return;
  }
  // In the order in which they would have become ready, or nearly so.
  for (InferRequest* request = arrivals_.First(); policy_.dynamic && request != nullptr;
       request = arrivals_.Next(*request)) {
    Group& group = GroupFor(request->shape_key);
    SetReady(group, tracks_ready_ && SizeMayBeDue(policy_, group.total));
  }
}

QueueCore::PushResult QueueCore::RoomFor(const InferRequest& request, std::uint32_t level) const {
  const std::size_t level_max = policies_.Of(level).request_count_max;
  if (depth() >= limits_.request_count_max ||
      (level_max > 0 && level_depths_[level] >= level_max)) {
    return PushResult::kTooManyRequests;
  }
  return request.byte_size > limits_.byte_size_max - byte_size_ ? PushResult::kTooManyBytes
                                                                : PushResult::kAccepted;
}

bool QueueCore::MakeRoom(const InferRequest& request, std::uint32_t level) {
  const std::uint64_t first = FirstLaneOf(level);
  InferRequest* last = lanes_.LastBelow(first + kLate);
  if (last == nullptr || last->lane <= first + rounds_[level].Next(request.client) ||
      request.byte_size > limits_.byte_size_max - (byte_size_ - last->byte_size)) {
    return false;
  }
  Unlink(*last);
  if (policy_.dynamic) {
    Group& group = GroupFor(last->shape_key);
    SetReady(group, group.linked() && SizeMayBeDue(policy_, group.total));
    ForgetIfIdle(group);
  }
  displaced_.reset(last);
  return true;
}

ClientRounds& QueueCore::RoundsOf(std::uint64_t lane) { return rounds_[LevelOfLane(lane)]; }

void QueueCore::BeginTurns() {
  taking_turns_ = true;
  for (InferRequest* request = arrivals_.First(); request != nullptr;
       request = arrivals_.Next(*request)) {
    // Who is late has had its turn.
    if (IsLate(request->lane)) {
      continue;
    }
    if (reorders_) {
      lanes_.Remove(*request);
    }
    Group* group = policy_.dynamic ? &GroupFor(request->shape_key) : nullptr;
    if (group != nullptr) {
      group->line.Remove(*request);
    }
    request->lane += RoundsOf(request->lane).Enter(request->client, request->batch_size);
    lanes_.PushBack(*request);
    if (group != nullptr) {
      group->line.PushBack(*request);
    }
  }
}

void QueueCore::EndTurns() {
  taking_turns_ = false;
  for (ClientRounds& rounds : rounds_) {
    rounds.Reset();
  }
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
      InferRequest* next = taking_turns_ ? FirstOfLanes(now, popped) : oldest;
      if (next == nullptr) {
        continue;
      }
      Serve(*next);
      popped.batch.PushBack(*next);
      return;
    }
    const bool waited_out = closed_ || WaitedOut(*oldest, now);
    if (!waited_out && ready_.empty()) {
      popped.wait_until = oldest->times.queued + policy_.queue_delay_max;
      return;
    }
    if (has_lanes()) {
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
    if (taking_turns_) {
      RoundsOf(request.lane).Leave(request.client);
    }
    request.lane = LateLaneOf(request.lane);
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
    Serve(*candidates_[i]);
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
  const bool turn_of_oldest = policies_.level_count > 1 && policies_.passed_over_batches_max > 0 &&
                              passed_over_ >= policies_.passed_over_batches_max && IsQueued(oldest);
  if (turn_of_oldest) {
    first = &oldest;
  }
  if (turn_of_oldest && taking_turns_ && !IsLate(oldest.lane)) {
    // The turn of its level: those that come before it there would otherwise be passed by requests
    // of their own clients.
    InferRequest* const before = lanes_.LastBelow(oldest.lane - RoundOf(oldest.lane));
    first = before == nullptr ? lanes_.First() : lanes_.Next(*before);
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
  passed_over_ = !turn_of_oldest && IsQueued(oldest) ? passed_over_ + 1 : 0;
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

void QueueCore::Serve(InferRequest& request) {
  if (taking_turns_ && !IsLate(request.lane)) {
    RoundsOf(request.lane).Serve(RoundOf(request.lane));
  }
  Unlink(request);
}

void QueueCore::Unlink(InferRequest& request) {
  arrivals_.Remove(request);
  byte_size_ -= request.byte_size;
  batch_size_total_ -= request.batch_size;
  --level_depths_[LevelOfLane(request.lane)];
  if (request.queue_expiry != kNever) {
    expiries_.erase(ExpiryKey(request));
  }
  if (has_lanes()) {
    lanes_.Remove(request);
  }
  if (policy_.dynamic) {
    Group& group = GroupFor(request.shape_key);
    group.line.Remove(request);
    group.total -= request.batch_size;
  }
  if (taking_turns_) {
    if (!IsLate(request.lane)) {
      RoundsOf(request.lane).Leave(request.client);
    }
    if (arrivals_.empty()) {
      EndTurns();
    }
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
    if (policy_.dynamic) {
      ForgetIfIdle(GroupFor(first->shape_key));
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
