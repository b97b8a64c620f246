#include "worker/life_cycle.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace headrace::worker {
namespace {

constexpr Nanos kBriefLife = kSecond;

// After `failures` failed starts in a row: 1, 1, 2, 3, 5, 8 ... seconds.
Nanos WaitAfter(std::uint32_t failures, Nanos wait_max) {
  Nanos wait = kSecond;
  Nanos next = kSecond;
  for (std::uint32_t i = 1; i < failures && wait < wait_max; ++i) {
    wait = std::exchange(next, wait + next);
  }
  return std::min(wait, wait_max);
}

LifeAction NothingUntil(Nanos at) { return {LifeAction::Kind::kNone, at}; }

}  // namespace

const char* LifeStateName(LifeState state) {
  switch (state) {
    case LifeState::kStopped:
      return "STOPPED";
    case LifeState::kStarting:
      return "STARTING";
    case LifeState::kReady:
      return "READY";
    case LifeState::kRestarting:
      return "RESTARTING";
    case LifeState::kWaiting:
      return "WAITING";
    case LifeState::kFailed:
      return "FAILED";
    case LifeState::kEnding:
      return "ENDING";
  }
  return "UNKNOWN";
}

LifeAction LifeCycle::Start() {
  ++starts_;
  look_at_ = kNever;
  return {LifeAction::Kind::kStart, kNever};
}

LifeAction LifeCycle::Begin(Nanos now) { return Revive(now); }

LifeAction LifeCycle::OnStarted(Nanos now) {
  running_ = true;
  killed_for_.clear();
  look_at_ = now + options_.start_timeout;
  return NothingUntil(look_at_);
}

LifeAction LifeCycle::OnReady(Nanos now) {
  if (state_ != LifeState::kEnding && killed_for_.empty()) {
    state_ = LifeState::kReady;
    ready_since_ = now;
    executed_ = false;
    look_at_ = kNever;
  }
  return NothingUntil(kNever);
}

LifeAction LifeCycle::OnTime(Nanos now) {
  if (now < look_at_ || state_ == LifeState::kEnding || state_ == LifeState::kFailed) {
    return NothingUntil(look_at_);
  }
  if (running_) {
    return OnMustDie(
        fmt::format("it did not load the model within {} s", options_.start_timeout / kSecond),
        now);
  }
  return Start();
}

LifeAction LifeCycle::OnMustDie(std::string why, Nanos) {
  look_at_ = kNever;
  if (!running_) {
    return NothingUntil(kNever);
  }
  if (killed_for_.empty()) {
    killed_for_ = std::move(why);
  }
  return {LifeAction::Kind::kKill, kNever};
}

LifeAction LifeCycle::OnEnded(std::string why, Nanos now) {
  running_ = false;
  look_at_ = kNever;
  why_ = killed_for_.empty() ? std::move(why) : std::move(killed_for_);
  killed_for_.clear();
  if (state_ == LifeState::kEnding || state_ == LifeState::kFailed ||
      state_ == LifeState::kStopped) {
    return NothingUntil(kNever);
  }
  if (state_ == LifeState::kReady && (executed_ || now - ready_since_ >= kBriefLife)) {
    failures_ = 0;
    waits_ = 0;
    state_ = LifeState::kRestarting;
    return Start();
  }
  return Failed(now);
}

LifeAction LifeCycle::Failed(Nanos now) {
  if (failures_ == 0) {
    first_failure_ = now;
  }
  ++failures_;
  if (now - first_failure_ >= options_.give_up) {
    state_ = LifeState::kFailed;
    tried_for_ = now - first_failure_;
    return {LifeAction::Kind::kGiveUp, kNever};
  }
  if (state_ == LifeState::kRestarting && failures_ == 1) {
    return Start();
  }
  state_ = LifeState::kWaiting;
  look_at_ = now + WaitAfter(++waits_, options_.wait_max);
  return NothingUntil(look_at_);
}

LifeAction LifeCycle::Revive(Nanos) {
  if (running_ || state_ == LifeState::kEnding) {
    return NothingUntil(look_at_);
  }
  failures_ = 0;
  waits_ = 0;
  state_ = LifeState::kStarting;
  return Start();
}

LifeAction LifeCycle::OnEndAsked() {
  state_ = LifeState::kEnding;
  look_at_ = kNever;
  return NothingUntil(kNever);
}

Status LifeCycle::health() const {
  switch (state_) {
    case LifeState::kStopped:
      return Unavailable("was not started");
    case LifeState::kStarting:
      return Unavailable("is starting");
    case LifeState::kReady:
      return killed_for_.empty() ? OkStatus() : Unavailable("is being killed: {}", killed_for_);
    case LifeState::kRestarting:
      return Unavailable("is restarting after: {}", why_);
    case LifeState::kWaiting:
      return Unavailable("is being started again, {} start{} in a row failed; the last: {}",
                         failures_, failures_ == 1 ? "" : "s", why_);
    case LifeState::kFailed:
      return Unavailable("{} after {} failed start{} in {} s; the last: {}", kFailedForGood,
                         failures_, failures_ == 1 ? "" : "s", tried_for_ / kSecond, why_);
    case LifeState::kEnding:
      return Unavailable("is ending");
  }
  return Unavailable("is in no known state");
}

}  // namespace headrace::worker
