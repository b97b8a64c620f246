#include "worker/readiness.h"

#include <utility>

namespace headrace::worker {

void Readiness::Begin(bool has_is_ready, Nanos now) {
  asks_ = has_is_ready;
  waits_ = false;
  look_at_ = has_is_ready ? now : kNever;
  Set(OkStatus());
}

void Readiness::End() { Begin(false, 0); }

std::optional<std::uint64_t> Readiness::Ask(Nanos now) {
  if (!asks_ || now < look_at_) {
    return std::nullopt;
  }
  if (waits_) {
    Set(Unavailable("its is_ready has not returned within {} s", kAnswerTimeout / kSecond));
  }
  waits_ = true;
  look_at_ = now + kAnswerTimeout;
  return ++number_;
}

Nanos Readiness::look_at() const { return look_at_; }

void Readiness::OnAnswer(const ReadinessMessage& answer, Nanos now) {
  if (!waits_ || answer.id != number_) {
    return;  // late: it has been asked again
  }
  waits_ = false;
  look_at_ = now + kInterval;
  Set(answer.ready        ? OkStatus()
      : answer.error.ok() ? Unavailable("its is_ready returned False")
                          : Unavailable("its is_ready failed: {}", answer.error.message()));
}

Status Readiness::report() const {
  std::lock_guard lock(mutex_);
  return report_;
}

void Readiness::Set(Status report) {
  std::lock_guard lock(mutex_);
  report_ = std::move(report);
}

}  // namespace headrace::worker
