// The queue of one model version without threads: which requests wait, and which go next.
//
// Not thread-safe: RequestQueue guards it with its mutex, the simulator drives it with a virtual
// clock. Time comes in as an argument and nothing here calls a sink's Send or Finish, logs, or
// blocks.
//
// Which group goes next: the group of the oldest request of all, once that has waited out the
// delay; until then the group that has been dispatchable by size for the longest time. So no shape
// can be starved by another: an expired request has only older ones before it, and a group that
// comes back with new requests lines up behind the other full groups.
//
// With priority levels or a policy that delays (QueuePolicies::Reorders), each level has two lanes:
// what is in time, and behind it what has outstayed its timeout. Once anything is due, by time or
// by size, the first request of the first lane goes, with all of its shape that fit, in the order
// of lanes; so levels share batches, and a lower level never goes first, except in the turn that
// QueuePolicies::passed_over_batches_max gives to the oldest of all.
//
// With QueueLimits::fair_to_clients the clients of a level take turns (ClientRounds): a request's
// round is part of its lane. That begins when a request comes while only those of one other client
// wait, and ends when nothing waits; so one client alone, or a queue that never fills, has no lanes
// and costs one comparison. A full queue then makes room for who has less in it: the last request
// of the last round goes, if the new one would be served before it.
//
// Cost: a push is one look-up of the shape key's group (none when the key is that of the last push)
// and three list links; a pop costs the requests that it takes or drops, and looks at no more than
// one batch of others. Neither depends on how many wait. A request with a timeout costs a node of a
// map, one in a lane other than the first two nodes of maps. When clients begin to take turns, each
// waiting request is moved once.
#ifndef HEADRACE_ENGINE_QUEUE_CORE_H_
#define HEADRACE_ENGINE_QUEUE_CORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "engine/batch_policy.h"
#include "engine/client_rounds.h"
#include "engine/lane_list.h"
#include "engine/queue_policy.h"
#include "engine/request.h"

namespace headrace::engine {

// The end of what a request is told that finds its model's queue full.
inline constexpr std::string_view kQueueFullText = "Exceeds maximum queue size";
// The same of one that finds no instance free, where it must (ModelOptions::job_tickets), and of
// one that its model's policy let wait no longer.
inline constexpr std::string_view kNoTicketText = "no instance of the model is free";
inline constexpr std::string_view kWaitedTooLongText = "Request timeout expired";

struct QueueLimits {
  std::size_t request_count_max = 65'536;  // beyond: UNAVAILABLE "Exceeds maximum queue size"
  std::size_t byte_size_max = std::size_t{1} << 30;  // of queued input tensors
  std::uint32_t passed_over_batches_max = 9;         // of the models' QueuePolicies
  bool fair_to_clients = false;          // clients take turns once requests of more than one wait
  std::uint32_t batch_retry_credit = 0;  // of the models' ModelOptions
  // Triton's test hooks TRITONSERVER_DELAY_SCHEDULER and TRITONSERVER_BACKLOG_DELAY_SCHEDULER:
  // nothing is given out before so many requests have waited at once, the second in the backlog of
  // a sequence batcher. 0: at once.
  std::size_t hold_until_count = 0;
  std::size_t hold_until_backlog_count = 0;
};

class QueueCore {
 public:
  using RequestList = IntrusiveList<InferRequest, QueueTag>;
  using DecideFunction = Decision (*)(const BatchPolicyOptions&, const QueueView&, Nanos);

  // What one TryPop took out. The caller owns what is in the lists (`Take`).
  struct Popped {
    RequestList batch;          // to execute together, oldest first
    RequestList dropped;        // cancelled, or past deadline or timeout: the caller finishes them
    Nanos wait_until = kNever;  // with an empty batch: look again then, or when something arrives
    ~Popped();
  };

  enum class PushResult : std::uint8_t { kAccepted, kClosed, kTooManyRequests, kTooManyBytes };

  // `policies` count only with dynamic batching. `decide` is replaced by the simulator to prove
  // that it catches a broken policy.
  QueueCore(BatchPolicyOptions policy, QueueLimits limits, QueuePolicies policies = {},
            DecideFunction decide = &DecideBatch);
  ~QueueCore();

  // Takes `request` only when it accepts it, and stamps times.queued (never before that of an
  // earlier request).
  PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now);
  // What the last Push pushed out to make room, to be refused by the caller; null: nothing.
  std::unique_ptr<InferRequest> TakeDisplaced() { return std::move(displaced_); }
  // Moves the batch that is due at `now`, if any, into `popped`, which must be fresh.
  void TryPop(Nanos now, Popped& popped);
  // Moves what has outstayed its timeout: into popped.dropped, or behind its level.
  void Expire(Nanos now, Popped& popped);
  // When Expire has something to do next.
  Nanos next_expiry() const { return expiries_.empty() ? kNever : expiries_.begin()->first.first; }
  // Moves everything into `out`.
  void TakeAll(RequestList& out);
  // The policy's delay from now on, for what waits, too: whoever waits for a time looks again.
  void SetQueueDelay(Nanos delay);
  // Refuses later pushes, and lets TryPop give out what is left without waiting for company.
  void Close() { closed_ = true; }

  // Whether TryPop would give out a batch at `now` (or drop something); may err only towards true.
  bool Due(Nanos now) const;
  // How many more runners could be of use now than the `waking` that are on their way already: true
  // if one more.
  bool HasWorkBeyond(std::size_t waking) const;

  bool closed() const { return closed_; }
  bool empty() const { return depth() == 0; }
  std::size_t depth() const { return arrivals_.size(); }
  std::size_t byte_size() const { return byte_size_; }
  // Shape keys that are remembered now: those of waiting requests and at most kIdleGroupsMax
  // others.
  std::size_t group_count() const { return groups_.size(); }

  // Calls visit(const InferRequest&) for each waiting request, oldest first.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const InferRequest* request = arrivals_.First(); request != nullptr;
         request = arrivals_.Next(*request)) {
      visit(*request);
    }
  }

  static constexpr std::size_t kIdleGroupsMax = 64;

 private:
  struct ReadyTag;
  // Requests with one shape key, in the order of service.
  struct Group : ListNode<ReadyTag> {
    LaneList<QueueTag> line;
    std::int64_t total = 0;  // of their batch sizes
    std::uint64_t key = 0;
  };

  Group& GroupFor(std::uint64_t key);
  // Whether there is more than one lane, so that lanes_ is kept.
  bool has_lanes() const { return reorders_ || taking_turns_; }
  ClientRounds& RoundsOf(std::uint64_t lane);
  // Whether `request` would be one too many at `level`.
  PushResult RoomFor(const InferRequest& request, std::uint32_t level) const;
  // Pushes out what would be served after `request`, if that makes the room.
  bool MakeRoom(const InferRequest& request, std::uint32_t level);
  void BeginTurns();
  void EndTurns();
  // Takes the request out of every list and sum.
  void Unlink(InferRequest& request);
  // The same for one that goes into a batch.
  void Serve(InferRequest& request);
  void Drop(InferRequest& request, Popped& popped);
  // Drops cancelled requests at the head of the arrivals; the oldest live one, or null.
  InferRequest* OldestLive(Nanos now, Popped& popped);
  // Whether the test hook holds everything back.
  bool held_back() const { return hold_until_count_ > 0 && !closed_; }
  // Drops dead requests at the head of the lanes; the first live one, or null.
  InferRequest* FirstOfLanes(Nanos now, Popped& popped);
  // Puts what a batch could take of the group, from `first` on, into candidates_, and drops what is
  // dead among it.
  void Collect(Group& group, InferRequest* first, Nanos now, Popped& popped);
  Decision Ask(const BatchPolicyOptions& policy, Nanos now);
  // Moves the first `count` candidates into the batch.
  void Give(Group& group, std::size_t count, Popped& popped);
  // Lets the policy look at the group. True when it gave out a batch or dropped something.
  bool PopFrom(Group& group, Nanos now, Popped& popped);
  // Whether a group of ready_ is dispatchable by size without its dead; unmarks it if it is not.
  bool StillReady(Group& group, Nanos now, Popped& popped);
  // Gives out the batch that is next by priority, if anything is due. `oldest` is alive.
  void PopByLane(InferRequest& oldest, bool waited_out, Nanos now, Popped& popped);
  void SetReady(Group& group, bool ready);
  void ForgetIfIdle(Group& group);
  bool WaitedOut(const InferRequest& request, Nanos now) const;

  BatchPolicyOptions policy_;
  const BatchPolicyOptions closing_policy_;  // the same without a delay
  const QueueLimits limits_;
  const QueuePolicies policies_;
  const DecideFunction decide_;
  bool tracks_ready_;    // batches may wait for company, so full groups must be found
  const bool reorders_;  // by priority or timeout

  IntrusiveList<InferRequest, ArrivalTag> arrivals_;
  LaneList<LaneTag> lanes_;
  std::map<std::pair<Nanos, std::uint64_t>, InferRequest*> expiries_;  // by time and ticket
  std::vector<std::size_t> level_depths_;                              // by level, from 1
  std::uint64_t last_ticket_ = 0;
  bool taking_turns_ = false;         // of the clients
  std::uint64_t only_client_ = 0;     // whose requests wait, while no turns are taken
  std::vector<ClientRounds> rounds_;  // by level, from 1; empty unless fair_to_clients
  std::unique_ptr<InferRequest> displaced_;
  std::uint32_t passed_over_ = 0;  // batches in a row without the oldest request of all
  std::size_t hold_until_count_;   // 0 once so many have waited
  std::unordered_map<std::uint64_t, Group> groups_;
  Group* last_group_ = nullptr;            // of the last push; spares the look-up
  IntrusiveList<Group, ReadyTag> ready_;   // dispatchable by size, longest first
  std::vector<InferRequest*> candidates_;  // scratch of Collect
  std::vector<std::int64_t> batch_sizes_;  // theirs
  std::size_t byte_size_ = 0;
  std::int64_t batch_size_total_ = 0;
  Nanos last_queued_ = 0;
  bool closed_ = false;
};

// Moves a list's requests into owning pointers, in order. Leaves the list empty.
std::vector<std::unique_ptr<InferRequest>> Take(QueueCore::RequestList& list);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_QUEUE_CORE_H_
