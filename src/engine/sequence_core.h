// The sequences of one model version without threads: which has a slot, which waits for one, and
// what goes next in each instance (contracts, Triton 4.4).
//
// Not thread-safe: SequenceScheduler guards it with its mutex, the simulator drives it with a
// virtual clock. Time comes in as an argument and nothing here calls a sink's Send or Finish, logs,
// or blocks.
//
// Every instance has a seat with a fixed number of slots. A new sequence takes the free slot with
// the lowest index over all seats, or waits in the backlog, in the order of coming, with all its
// requests. It keeps its slot until its last request has been released, its client has gone, or it
// has been idle for too long; the slot then goes to the head of the backlog. At most one request of
// a sequence executes at a time, so its requests are executed in order.
//
// A sequence of which a request was cancelled, or missed its deadline, ends with it: the model
// would go on from a state that lacks a step. Its other requests are dropped as well.
//
// Cost: a push is a look-up of the id and a node of a map; a pop costs what it takes plus, with the
// direct strategy, the seat's slots. None depends on the number of sequences in the backlog.
#ifndef HEADRACE_ENGINE_SEQUENCE_CORE_H_
#define HEADRACE_ENGINE_SEQUENCE_CORE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/status.h"
#include "engine/batch_policy.h"
#include "engine/queue_core.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/sequence_id.h"
#include "engine/sequence_options.h"
#include "engine/sequence_state.h"

namespace headrace::engine {

class SequenceCore {
 public:
  static constexpr std::size_t kNoSeat = SIZE_MAX;
  using Key = std::pair<Nanos, std::uint64_t>;  // a time, and a ticket that tells equal times apart

  struct IdleTag;
  // One sequence, from its first request until its end. Read only outside this class, except
  // `state`, which belongs to the request that executes.
  struct Sequence : ListNode<IdleTag> {
    Sequence(SequenceId sequence_id, const SequenceOptions& options)
        : id(std::move(sequence_id)), state(options) {}
    const SequenceId id;
    SequenceState state;
    bool findable = true;        // requests that name the id belong to it
    std::size_t seat = kNoSeat;  // kNoSeat: in the backlog
    std::size_t slot = 0;
    IntrusiveList<InferRequest, QueueTag> pending;  // oldest first
    bool in_flight = false;                         // one of its requests executes
    bool ending = false;                            // that one is its last
    bool concluded = false;                         // ends when it has nothing left to do
    Nanos begun = 0;
    Nanos idle_since = 0;
    Key backlog_expiry{kNever, 0};
    std::list<std::unique_ptr<Sequence>>::iterator backlog_place;
  };

  struct Dropped {
    std::unique_ptr<InferRequest> request;
    Status status;
    FailureReason reason = FailureReason::kOther;
  };

  // What one TryPop took out. With the direct strategy entry i is of slot i, and null where the
  // slot has no request for this batch; otherwise none is null.
  struct Popped {
    std::vector<std::unique_ptr<InferRequest>> batch;
    std::vector<Sequence*> sequences;  // of the requests; null where those are
    std::vector<Dropped> dropped;      // to be finished by the caller
    Nanos wait_until = kNever;         // with an empty batch: look again then, or when roused
  };

  struct PushResult {
    Status status;  // when not OK, the request was not taken
    FailureReason reason = FailureReason::kOther;
    std::size_t seat = kNoSeat;  // where it is now; kNoSeat: in the backlog
    bool restarted = false;      // START for a sequence that had not ended
    bool rouse_all = false;      // the test hook has let everything go
  };

  SequenceCore(SequenceOptions options, QueueLimits limits, std::string model_name);
  ~SequenceCore();
  SequenceCore(const SequenceCore&) = delete;
  SequenceCore& operator=(const SequenceCore&) = delete;

  // A seat with free slots; sequences of the backlog move in.
  std::size_t AddSeat();
  // The seat keeps its sequences and takes no others.
  void RetireSeat(std::size_t seat) { seats_[seat].retiring = true; }
  // Whether the seat has no sequence.
  bool SeatIsFree(std::size_t seat) const { return seats_[seat].occupied == 0; }

  // Takes `request` only when the status is OK, and stamps times.queued. `idled` collects nothing:
  // a sequence that has been idle for too long has no requests.
  PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now);
  // Moves the batch that is due at `now`, if any, into `popped`, which must be fresh.
  void TryPop(std::size_t seat, Nanos now, Popped& popped);
  // The request of the sequence that executed has been released. `again`, if not null, is that
  // request, to be executed once more. The seat that may have work now.
  std::size_t Released(Sequence& sequence, Nanos now,
                       std::unique_ptr<InferRequest> again = nullptr);
  // Takes no more requests for the sequence, which ends when those that it has are done.
  void Conclude(Sequence& sequence);
  // Ends what has been idle, or in the backlog, for too long. Appends the seats that may have work
  // now.
  void Expire(Nanos now, std::vector<Dropped>& dropped, std::vector<std::size_t>& seats);
  // When Expire has something to do next.
  Nanos next_expiry() const;

  // Refuses later pushes, ends sequences that have nothing left to do, and lets TryPop give out
  // what is left without waiting for company.
  void Close();
  // Moves everything that waits into `out`, and ends every sequence that does not execute.
  void TakeAll(std::vector<std::unique_ptr<InferRequest>>& out);

  bool closed() const { return closed_; }
  std::size_t depth() const { return depth_; }
  std::size_t byte_size() const { return byte_size_; }
  const SequenceFigures& figures() const { return figures_; }
  const SequenceOptions& options() const { return options_; }

 private:
  enum class End : std::uint8_t { kEnded, kIdled, kCancelled, kExpired };
  struct Seat {
    std::vector<std::unique_ptr<Sequence>> slots;
    std::map<Key, Sequence*> ready;  // with a request that may execute, by its age
    std::size_t occupied = 0;
    bool retiring = false;
  };

  static bool IsIdle(const Sequence& sequence) {
    return static_cast<const ListNode<IdleTag>&>(sequence).linked();
  }
  static Key KeyOf(Sequence& sequence);
  Status CheckRequest(const InferRequest& request, const SequenceId& id) const;
  // The live sequence of the id, or null.
  Sequence* Find(const SequenceId& id, Nanos now);
  // Whether there is room for one more request of `sequence`, or of a new one where that is null.
  Status CheckRoom(const InferRequest& request, const Sequence* sequence) const;
  Sequence& Start(SequenceId id, Nanos now);
  void Seize(std::unique_ptr<Sequence> sequence, std::size_t seat, std::size_t slot);
  void Append(Sequence& sequence, InferRequest& request);
  std::unique_ptr<InferRequest> TakeHead(Sequence& sequence);
  void SetReady(Sequence& sequence, bool ready);
  void SetIdle(Sequence& sequence, Nanos now);
  void StopIdling(Sequence& sequence);
  void Hide(Sequence& sequence);
  // Ends a sequence that does not execute; what it still has goes to `dropped`. Its slot goes to
  // the backlog.
  void Finish(Sequence& sequence, End end, std::vector<Dropped>* dropped);
  // Ends the seat's ready sequences whose next request nobody waits for.
  void DropDead(Seat& seat, Nanos now, std::vector<Dropped>& dropped);
  void PopDirect(Seat& seat, Nanos now, Popped& popped);
  void PopOldest(Seat& seat, Nanos now, Popped& popped);
  void Give(Sequence& sequence, Popped& popped);
  bool held_back() const { return held_back_ && !closed_; }

  const SequenceOptions options_;
  const QueueLimits limits_;
  const std::string model_name_;

  std::vector<Seat> seats_;
  std::list<std::unique_ptr<Sequence>> backlog_;  // longest waiting first
  std::unordered_map<SequenceId, Sequence*, SequenceIdHash> by_id_;
  IntrusiveList<Sequence, IdleTag> idle_;      // have a slot and nothing to do, longest first
  std::map<Key, Sequence*> backlog_expiries_;  // of those of the backlog with a timeout
  std::size_t depth_ = 0, byte_size_ = 0, backlog_depth_ = 0;
  std::uint64_t last_ticket_ = 0;
  Nanos last_queued_ = 0;
  SequenceFigures figures_;
  bool held_back_;  // the test hook waits for more requests
  bool closed_ = false;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SEQUENCE_CORE_H_
