#include "repository/repository_poller.h"

#include <chrono>
#include <utility>

#include "base/thread.h"

namespace headrace::repository {

RepositoryPoller::RepositoryPoller(Nanos interval, std::function<void()> look)
    : interval_(interval), look_(std::move(look)), thread_([this] { Run(); }) {}

RepositoryPoller::~RepositoryPoller() { Stop(); }

void RepositoryPoller::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void RepositoryPoller::Run() {
  SetThreadName("repository_poll");
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, std::chrono::nanoseconds(interval_), [this] { return stopping_; })) {
    lock.unlock();
    look_();
    lock.lock();
  }
}

}  // namespace headrace::repository
