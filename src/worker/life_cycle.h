// When a worker is started again, and when not any more. Pure: events and times in, actions out.
//
// Not thread-safe: the worker's keeper owns it. Times are the keeper's clock.
//
// The rules (contracts, TorchServe 9.2, and docs/workers.md):
// - A worker that served and died, or was killed, is started again at once, however often.
// - A start that fails, right after a worker that served, is tried again at once, too; if several
//   fail in a row, the next waits 1, 1, 2, 3, 5, 8 ... seconds (at most 60).
// - A worker that became ready but died within a second without having been given anything counts
//   as a start that failed: otherwise it would restart without a pause for ever.
// - A start that fails later than `give_up` after the first of its row is the last one: the worker
//   has failed, and health() says why. Revive() begins anew.
// - A start that takes longer than `start_timeout` is killed and has failed.
#ifndef HEADRACE_WORKER_LIFE_CYCLE_H_
#define HEADRACE_WORKER_LIFE_CYCLE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace headrace::worker {

struct LifeCycleOptions {
  Nanos start_timeout = 120 * kSecond;  // from the start to LOADED
  Nanos give_up = 300 * kSecond;        // 0: after the first start that fails
  Nanos wait_max = 60 * kSecond;        // between two starts
};

// What the keeper is to do now.
struct LifeAction {
  enum class Kind : std::uint8_t {
    kNone,    // until the next event, or OnTime at `at` (kNever: no time)
    kStart,   // start the process: then OnStarted, or OnEnded when it cannot be started
    kKill,    // kill the process; OnEnded follows when it is gone
    kGiveUp,  // it has failed for good; log health()
  };
  Kind kind = Kind::kNone;
  Nanos at = kNever;  // when OnTime is to be called, unless another event comes first

  bool operator==(const LifeAction&) const = default;
};

enum class LifeState : std::uint8_t {
  kStopped,     // before Begin
  kStarting,    // the first start, or the first after Revive
  kReady,       // serves
  kRestarting,  // starts again after it served
  kWaiting,     // starts failed: waits for the next, or that one is under way
  kFailed,      // gave up
  kEnding,      // asked to end; the process may still run
};
// What health() says in kFailed begins so.
inline constexpr std::string_view kFailedForGood = "has failed for good";
// "STARTING", for logs and the index.
const char* LifeStateName(LifeState state);

class LifeCycle {
 public:
  explicit LifeCycle(LifeCycleOptions options = {}) : options_(options) {}

  // The first start (kStart).
  LifeAction Begin(Nanos now);
  // The process runs. `at` is the end of its start's time limit.
  LifeAction OnStarted(Nanos now);
  // It has loaded the model and serves.
  LifeAction OnReady(Nanos now);
  // It is given a batch. Called for each; costs nothing.
  void OnExecute() { executed_ = true; }
  // The time that an action named has come; early calls are harmless.
  LifeAction OnTime(Nanos now);
  // It must be killed: it broke the protocol, or did not answer in time. `why` is the reason that
  // health() and the log give, in place of the exit's.
  LifeAction OnMustDie(std::string why, Nanos now);
  // The process is gone, could not be started, or (then kill it first) has said that the model does
  // not load. `why`: "exit status 3". The next action: kStart, a time, or kGiveUp.
  LifeAction OnEnded(std::string why, Nanos now);
  // A load of the model asks for it again: from kFailed and from kWaiting it starts at once.
  LifeAction Revive(Nanos now);
  // It shall end and not come back. kKill is the keeper's own affair then (FINALIZE, a time limit).
  LifeAction OnEndAsked();

  LifeState state() const { return state_; }
  bool ready() const { return state_ == LifeState::kReady && killed_for_.empty(); }
  // True while requests are better refused at once than kept waiting: several starts failed.
  bool hopeless() const {
    return state_ == LifeState::kWaiting || state_ == LifeState::kFailed ||
           state_ == LifeState::kEnding;
  }
  // OK when ready; else UNAVAILABLE with what it does now and why the last process ended, to go
  // after the worker's name: "is restarting after: exit status 3", "has failed for good after 12
  // failed starts in 305 s; the last: exit status 3".
  Status health() const;
  // Starts that have failed in a row.
  std::uint32_t failures() const { return failures_; }
  std::uint64_t starts() const { return starts_; }  // altogether

 private:
  LifeAction Start();
  LifeAction Failed(Nanos now);

  const LifeCycleOptions options_;
  LifeState state_ = LifeState::kStopped;
  bool running_ = false;   // there is a process
  bool executed_ = false;  // since it became ready
  Nanos ready_since_ = 0;
  Nanos look_at_ = kNever;   // the end of a start's time limit, or of a wait
  Nanos first_failure_ = 0;  // of the row
  std::uint32_t failures_ = 0;
  std::uint64_t starts_ = 0;
  std::uint32_t waits_ = 0;  // of the row
  Nanos tried_for_ = 0;      // from the first failure to the last, once it gave up
  std::string why_;          // the last end's reason
  std::string killed_for_;   // OnMustDie's, until the process is gone
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_LIFE_CYCLE_H_
