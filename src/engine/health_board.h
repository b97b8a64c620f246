// What a model knows of its instances' health, and what it does about it: an instance that is not
// ready takes no batches, and once all are down, requests are refused.
#ifndef HEADRACE_ENGINE_HEALTH_BOARD_H_
#define HEADRACE_ENGINE_HEALTH_BOARD_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/instance_health.h"
#include "engine/scheduler.h"
#include "engine/self_report.h"

namespace headrace::engine {

// Thread-safe. One for each model. It costs nothing on the request path: the queue is told.
class HealthBoard : public std::enable_shared_from_this<HealthBoard> {
 public:
  class Seat;

  // `queue` is borrowed until the last seat has been left. `may_pause`: instances that are not
  // ready can be kept from the queue: not if requests are bound to them (sequences).
  HealthBoard(std::string label, Scheduler& queue, bool may_pause)
      : label_(std::move(label)), queue_(queue), may_pause_(may_pause) {}
  HealthBoard(const HealthBoard&) = delete;
  HealthBoard& operator=(const HealthBoard&) = delete;

  // The place of an instance, ready until it says something else.
  std::shared_ptr<Seat> Join(std::string instance_name);

  // From now on requests are refused also while there is no instance at all.
  void RefuseWhenEmpty();

  // From now on instances take batches whether they are ready or not: the queue was closed, and
  // what is left in it must end.
  void StopPausing();

  // True while all instances are down, or missing: the queue refuses requests.
  bool refuses() const;
  // OK if an instance is ready and its model says so too (or if there are none: an ensemble); else
  // UNAVAILABLE with the instances' reasons.
  Status Health() const;
  std::size_t ready_count() const;

 private:
  struct Turn;
  void Set(Seat& seat, InstanceHealth health);
  void SetReport(Seat& seat, const SelfReport* report);
  InstanceHealth HealthOf(const Seat& seat) const;
  void Leave(Seat& seat);
  // With mutex_ held: takes account of a change.
  Turn Consider();
  void Act(const Turn& turn);
  std::string Describe() const;

  const std::string label_;  // "model 'm' version 1"
  Scheduler& queue_;
  mutable std::mutex mutex_;  // guards what follows, and what the seats say
  std::string refusal_;       // why requests are refused; empty: they are not
  std::uint64_t refusal_changes_ = 0;
  bool may_pause_;
  bool refuses_when_empty_ = false;
  std::condition_variable resumed_;
  std::vector<Seat*> seats_;
};

// Of one instance. Its runner calls WaitUntilReady; all else may come from any thread.
class HealthBoard::Seat {
 public:
  Seat(std::shared_ptr<HealthBoard> board, std::string name)
      : board_(std::move(board)), name_(std::move(name)) {}
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  void Set(InstanceHealth health) { board_->Set(*this, std::move(health)); }
  // What the instance's model says of itself; borrowed until Leave.
  void SetReport(const SelfReport* report) { board_->SetReport(*this, report); }
  // The instance takes no more batches and is none of the model's any more. The queue must be
  // roused afterwards. What is Set later has no effect. Idempotent.
  void Leave() { board_->Leave(*this); }
  bool left() const { return left_.load(std::memory_order_relaxed); }
  InstanceHealth health() const { return board_->HealthOf(*this); }

  // For Scheduler::PopBatch: true while the instance shall not take batches.
  const std::atomic<bool>* halted() const { return &halted_; }
  // After PopBatch gave nothing: blocks while the instance is kept from the queue. False if it was
  // not, or if the seat was left: the thread has nothing more to do.
  bool WaitUntilReady();

 private:
  friend class HealthBoard;
  const std::shared_ptr<HealthBoard> board_;
  const std::string name_;
  std::atomic<bool> halted_{false};  // paused or left
  std::atomic<bool> left_{false};
  // Guarded by the board's mutex.
  InstanceHealth health_;
  const SelfReport* report_ = nullptr;
  bool paused_ = false;
  std::uint64_t pause_count_ = 0;
  std::uint64_t pauses_seen_ = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_HEALTH_BOARD_H_
