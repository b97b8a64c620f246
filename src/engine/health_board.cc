#include "engine/health_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/instance_thread.h"

namespace headrace::engine {

using State = InstanceHealth::State;

// What is to be done once the mutex is free.
struct HealthBoard::Turn {
  bool rouses = false;   // a thread that waits in the queue shall leave it
  bool resumes = false;  // one that waits here may go on
  bool changes_refusal = false;
};

std::shared_ptr<HealthBoard::Seat> HealthBoard::Join(std::string instance_name) {
  auto seat = std::make_shared<Seat>(shared_from_this(), std::move(instance_name));
  Turn turn;
  {
    std::lock_guard lock(mutex_);
    seats_.push_back(seat.get());
    turn = Consider();
  }
  Act(turn);
  return seat;
}

void HealthBoard::Set(Seat& seat, InstanceHealth health) {
  Turn turn;
  {
    std::lock_guard lock(mutex_);
    if (seat.left() || seat.health_ == health) {
      return;
    }
    seat.health_ = std::move(health);
    turn = Consider();
  }
  Act(turn);
}

void HealthBoard::SetReport(Seat& seat, const SelfReport* report) {
  std::lock_guard lock(mutex_);
  seat.report_ = report;
}

void HealthBoard::Leave(Seat& seat) {
  Turn turn;
  {
    std::lock_guard lock(mutex_);
    if (seat.left_.exchange(true)) {
      return;
    }
    seat.halted_.store(true);
    seat.report_ = nullptr;
    std::erase(seats_, &seat);
    turn = Consider();
    turn.resumes = true;
  }
  Act(turn);
}

InstanceHealth HealthBoard::HealthOf(const Seat& seat) const {
  std::lock_guard lock(mutex_);
  return seat.health_;
}

void HealthBoard::RefuseWhenEmpty() {
  Turn turn;
  {
    std::lock_guard lock(mutex_);
    refuses_when_empty_ = true;
    turn = Consider();
  }
  Act(turn);
}

void HealthBoard::StopPausing() {
  Turn turn;
  {
    std::lock_guard lock(mutex_);
    may_pause_ = false;
    turn = Consider();
  }
  Act(turn);
}

HealthBoard::Turn HealthBoard::Consider() {
  Turn turn;
  for (Seat* seat : seats_) {
    const bool pauses = may_pause_ && seat->health_.state != State::kReady;
    if (pauses != seat->paused_) {
      seat->paused_ = pauses;
      seat->pause_count_ += pauses ? 1 : 0;
      seat->halted_.store(pauses);
      (pauses ? turn.rouses : turn.resumes) = true;
    }
  }
  const bool all_down = std::all_of(seats_.begin(), seats_.end(),
                                    [](Seat* seat) { return seat->health_.state == State::kDown; });
  const bool refuses = seats_.empty() ? refuses_when_empty_ : all_down;
  std::string refusal = refuses ? Describe() : "";
  if (refusal != refusal_) {
    refusal_ = std::move(refusal);
    ++refusal_changes_;
    turn.changes_refusal = true;
  }
  return turn;
}

void HealthBoard::Act(const Turn& turn) {
  if (turn.resumes) {
    resumed_.notify_all();
  }
  if (turn.rouses) {
    queue_.RouseAll();
  }
  if (!turn.changes_refusal) {
    return;
  }
  // It ends requests, on a thread that the instance may well wait for.
  const ScopedInstanceThread own;
  for (;;) {
    std::uint64_t changes;
    std::string refusal;
    {
      std::lock_guard lock(mutex_);
      changes = refusal_changes_;
      refusal = refusal_;
    }
    queue_.SetRefusal(refusal);
    // Another thread may have set something newer meanwhile, before this one: once more then.
    std::lock_guard lock(mutex_);
    if (changes == refusal_changes_) {
      return;
    }
  }
}

std::string HealthBoard::Describe() const {
  if (seats_.empty()) {
    return fmt::format("{} cannot serve: it has no instances", label_);
  }
  const auto worst = std::find_if(seats_.begin(), seats_.end(), [](const Seat* seat) {
    return seat->health_.state == State::kDown;
  });
  const Seat& shown = worst != seats_.end() ? **worst : *seats_.front();
  if (seats_.size() == 1) {
    return fmt::format("{} cannot serve: its instance '{}' {}", label_, shown.name_,
                       shown.health_.reason);
  }
  return fmt::format("{} cannot serve: none of its {} instances is ready; '{}' {}", label_,
                     seats_.size(), shown.name_, shown.health_.reason);
}

bool HealthBoard::refuses() const {
  std::lock_guard lock(mutex_);
  return !refusal_.empty();
}

Status HealthBoard::Health() const {
  std::lock_guard lock(mutex_);
  std::string said;  // by a model whose instance could execute
  for (const Seat* seat : seats_) {
    if (seat->health_.state == State::kReady) {
      const Status report = seat->report_ == nullptr ? OkStatus() : seat->report_->Readiness();
      if (report.ok()) {
        return OkStatus();
      }
      said = fmt::format("{}: its instance '{}' says that it is not ready: {}", label_, seat->name_,
                         report.message());
    }
  }
  return seats_.empty() && !refuses_when_empty_
             ? OkStatus()
             : Unavailable("{}", said.empty() ? Describe() : said);
}

std::size_t HealthBoard::ready_count() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(seats_.begin(), seats_.end(), [](Seat* seat) {
    return seat->health_.state == State::kReady;
  }));
}

bool HealthBoard::Seat::WaitUntilReady() {
  std::unique_lock lock(board_->mutex_);
  if (pause_count_ == std::exchange(pauses_seen_, pause_count_) && !paused_) {
    return false;
  }
  board_->resumed_.wait(lock, [this] { return !paused_ || left(); });
  return !left();
}

}  // namespace headrace::engine
