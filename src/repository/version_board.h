// The states of all model versions, as the registry shows them, and the end of versions that serve
// no more.
#ifndef HEADRACE_REPOSITORY_VERSION_BOARD_H_
#define HEADRACE_REPOSITORY_VERSION_BOARD_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/registry.h"
#include "repository/worker_pool.h"

namespace headrace::repository {

// Writes to the registry, and leaves what others have written there alone (a model store has a
// board of its own). Models are named by their keys (engine/model_key.h). Thread-safe, if
// operations on the same model come one after the other (SerialExecutor); versions that end in the
// background may end at any time. Borrows the registry.
//
//   LOADING -> READY -> UNLOADING -> UNAVAILABLE "unloaded" or another reason
//   LOADING -> UNAVAILABLE "<reason>"
// A version that is READY stays so while another load of it is tried.
class VersionBoard {
 public:
  // `unload_timeout`: how long a version that serves no more may take for the requests it holds.
  VersionBoard(engine::Registry& registry, Nanos unload_timeout);
  // Waits for everything that is ending, without limit.
  ~VersionBoard();

  // LOADING, unless it is READY.
  void MarkLoading(const std::string& name, std::int64_t version);
  // UNAVAILABLE with `reason`, unless it is READY.
  void MarkFailed(const std::string& name, std::int64_t version, const std::string& reason);
  // READY with `model`. A model that it replaces is drained and freed in the background.
  void Publish(const std::string& name, std::int64_t version, engine::ModelHandle model);
  // UNLOADING if it is READY (with `reason`, unless that is "unloaded"), drained and freed in the
  // background, then UNAVAILABLE with `reason`.
  // What is UNAVAILABLE gets the reason at once.
  void Withdraw(const std::string& name, std::int64_t version,
                const std::string& reason = std::string(engine::kUnloadedReason));
  // The same, but in the end the version is not in the registry any more, nor the model if it has
  // no other. `gone` is called once, in the background: when the version's last request has ended,
  // or with false when its time ran out first. At once with true if it is not READY.
  void Remove(const std::string& name, std::int64_t version, std::function<void(bool)> gone);
  // While true, changes reach the registry together, a little later: a change costs a copy of the
  // registry's index, which for a thousand models that start or stop at once would be a thousand
  // copies. Setting it to false publishes what is left before it returns.
  void SetBatching(bool batching);
  // Withdraw for all versions of all models.
  void WithdrawAll();
  // Whether the model is served, or about to be, by somebody else than this board.
  bool BelongsToOthers(const std::string& name) const;

  // The versions of a model that are known, or that are READY; ascending.
  std::vector<std::int64_t> KnownVersions(const std::string& name) const;
  std::vector<std::int64_t> ReadyVersions(const std::string& name) const;
  // Null unless READY.
  engine::ModelHandle Find(const std::string& name, std::int64_t version) const;

  // True once nothing is ending any more; false at `deadline` (of Clock::Real()). From now on
  // nothing gets more time than until then: what is still queued is refused.
  bool WaitUntilDrained(Nanos deadline);

 private:
  using Key = std::pair<std::string, std::int64_t>;

  engine::VersionEntry Current(const std::string& name, std::int64_t version) const;
  void Set(const std::string& name, std::int64_t version, engine::VersionEntry entry);
  // The same, with mutex_ held. Returns the number of the change.
  std::uint64_t SetLocked(const Key& key, engine::VersionEntry entry);
  void PublishPendingLocked();
  void RunPublisher();
  // What becomes of a version whose model has ended: UNAVAILABLE with `reason`, unless its state
  // has changed since `change`.
  struct Ending {
    Key key;
    std::uint64_t change = 0;  // 0: another model has taken the version over
    std::string reason;
    std::function<void(bool)> gone = {};  // not null: it is to be removed
  };
  // Takes the version out of the registry, unless its state has changed since `change`.
  void Forget(const Key& key, std::uint64_t change);
  // Drains `model` in the background.
  void End(Ending ending, engine::ModelHandle model);
  void Drain(const Ending& ending, engine::ModelHandle model);
  // Gives requests that found the version just before it was withdrawn the time to enter it.
  void WaitForLateEntries(const engine::ModelHandle& model);

  engine::Registry& registry_;
  const Nanos unload_timeout_;
  mutable std::mutex mutex_;
  std::condition_variable drained_;
  std::condition_variable hurry_;         // deadline_ is set
  std::map<Key, std::uint64_t> changes_;  // the number of the last change of each version's state:
                                          // those that are this board's; guarded by mutex_
  std::uint64_t change_count_ = 0;        // guarded by mutex_
  std::size_t ending_ = 0;                // guarded by mutex_
  bool all_drained_in_time_ = true;       // guarded by mutex_
  Nanos deadline_ = kNever;               // guarded by mutex_
  std::condition_variable pending_added_;
  std::map<Key, engine::VersionEntry> pending_;  // not yet in the registry; guarded by mutex_
  bool batching_ = false;                        // guarded by mutex_
  bool stopping_ = false;                        // guarded by mutex_
  std::thread publisher_;
  WorkerPool pool_;  // last: its tasks use the rest
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VERSION_BOARD_H_
