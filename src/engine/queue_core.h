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
// Cost: a push is one look-up of the shape key's group (none when the key is that of the last push)
// and three list links; a pop costs the requests that it takes or drops, and looks at no more than
// one batch of others. Neither depends on how many wait.
#ifndef HEADRACE_ENGINE_QUEUE_CORE_H_
#define HEADRACE_ENGINE_QUEUE_CORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "engine/batch_policy.h"
#include "engine/request.h"

namespace headrace::engine {

struct QueueLimits {
  std::size_t request_count_max = 65'536;  // beyond: UNAVAILABLE "Exceeds maximum queue size"
  std::size_t byte_size_max = std::size_t{1} << 30;  // of queued input tensors
};

class QueueCore {
 public:
  using RequestList = IntrusiveList<InferRequest, QueueTag>;
  using DecideFunction = Decision (*)(const BatchPolicyOptions&, const QueueView&, Nanos);

  // What one TryPop took out. The caller owns what is in the lists (`Take`).
  struct Popped {
    RequestList batch;          // to execute together, oldest first
    RequestList dropped;        // cancelled, or past their deadline: to be finished by the caller
    Nanos wait_until = kNever;  // with an empty batch: look again then, or when something arrives
    ~Popped();
  };

  enum class PushResult : std::uint8_t { kAccepted, kClosed, kTooManyRequests, kTooManyBytes };

  // `decide` is replaced by the simulator to prove that it catches a broken policy.
  QueueCore(BatchPolicyOptions policy, QueueLimits limits, DecideFunction decide = &DecideBatch);
  ~QueueCore();

  // Takes `request` only when it accepts it, and stamps times.queued (never before that of an
  // earlier request).
  PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now);
  // Moves the batch that is due at `now`, if any, into `popped`, which must be fresh.
  void TryPop(Nanos now, Popped& popped);
  // Moves everything into `out`.
  void TakeAll(RequestList& out);
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
  // Requests with one shape key, oldest first.
  struct Group : ListNode<ReadyTag> {
    RequestList fifo;
    std::int64_t total = 0;  // of their batch sizes
    std::uint64_t key = 0;
  };

  Group& GroupFor(std::uint64_t key);
  // Takes the request out of every list and sum.
  void Unlink(InferRequest& request);
  void Drop(InferRequest& request, Popped& popped);
  // Drops cancelled requests at the head of the arrivals; the oldest live one, or null.
  InferRequest* OldestLive(Nanos now, Popped& popped);
  // Lets the policy look at the group. True when it gave out a batch or dropped something.
  bool PopFrom(Group& group, Nanos now, Popped& popped);
  void SetReady(Group& group, bool ready);
  void ForgetIfIdle(Group& group);
  bool WaitedOut(const InferRequest& request, Nanos now) const;

  const BatchPolicyOptions policy_;
  const BatchPolicyOptions closing_policy_;  // the same without a delay
  const QueueLimits limits_;
  const DecideFunction decide_;
  const bool tracks_ready_;  // batches may wait for company, so full groups must be found

  IntrusiveList<InferRequest, ArrivalTag> arrivals_;
  std::unordered_map<std::uint64_t, Group> groups_;
  Group* last_group_ = nullptr;            // of the last push; spares the look-up
  IntrusiveList<Group, ReadyTag> ready_;   // dispatchable by size, longest first
  std::vector<std::int64_t> batch_sizes_;  // scratch of PopFrom
  std::size_t byte_size_ = 0;
  std::int64_t batch_size_total_ = 0;
  Nanos last_queued_ = 0;
  bool closed_ = false;
};

// Moves a list's requests into owning pointers, in order. Leaves the list empty.
std::vector<std::unique_ptr<InferRequest>> Take(QueueCore::RequestList& list);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_QUEUE_CORE_H_
