#include "plugin/instance_readiness.h"

#include <chrono>
#include <utility>

#include "base/thread.h"

namespace headrace::plugin {

InstanceReadiness::InstanceReadiness(std::function<Status()> ask, const Clock& clock,
                                     Options options)
    : ask_(std::move(ask)), clock_(clock), options_(options), thread_([this] { Run(); }) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(options_.answer_timeout),
                    [this] { return answered_; });
}

InstanceReadiness::~InstanceReadiness() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void InstanceReadiness::Run() {
  SetThreadName("readiness");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    asked_at_ = clock_.Now();
    lock.unlock();
    Status said = ask_();
    lock.lock();
    said_ = std::move(said);
    asked_at_ = kNever;
    answered_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::nanoseconds(options_.interval),
                      [this] { return stopping_; });
  }
}

Status InstanceReadiness::report() const {
  std::lock_guard lock(mutex_);
  if (asked_at_ != kNever && clock_.Now() - asked_at_ >= options_.answer_timeout) {
    return Unavailable("the backend has not answered for {} s whether it is ready",
                       (clock_.Now() - asked_at_) / kSecond);
  }
  return said_;
}

}  // namespace headrace::plugin
