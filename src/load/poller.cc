#include "load/poller.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace headrace::load {
namespace {

constexpr std::size_t kEventCountMax = 256;

Status Failed(const char* what) { return Unavailable("{}: {}", what, std::strerror(errno)); }

}  // namespace

Poller::Poller(UniqueFd epoll) : epoll_(std::move(epoll)), events_(kEventCountMax) {}

Result<Poller> Poller::Make() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) {
    return Failed("epoll_create1");
  }
  return Poller(std::move(epoll));
}

void Poller::SharpenTimers() { ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

Status Poller::Add(int fd, std::uint32_t events, PollHandler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? OkStatus()
                                                                   : Failed("epoll_ctl");
}

Status Poller::Modify(int fd, std::uint32_t events, PollHandler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0 ? OkStatus()
                                                                   : Failed("epoll_ctl");
}

void Poller::Remove(int fd, PollHandler& handler) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (int i = event_next_; i < event_count_; ++i) {
    epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &handler) {
      event.data.ptr = nullptr;
    }
  }
}

int Poller::Wait(Nanos until) {
  const int capacity = static_cast<int>(events_.size());
  if (until == 0) {
    return ::epoll_wait(epoll_.get(), events_.data(), capacity, 0);
  }
  if (until == kNever) {
    return ::epoll_wait(epoll_.get(), events_.data(), capacity, -1);
  }
  const Nanos wait = std::max<Nanos>(until - Clock::Real().Now(), 0);
  if (has_pwait2_) {
    const timespec timeout{wait / kSecond, wait % kSecond};
    const int count = ::epoll_pwait2(epoll_.get(), events_.data(), capacity, &timeout, nullptr);
    if (count >= 0 || errno != ENOSYS) {
      return count;
    }
    has_pwait2_ = false;
  }
  // Before Linux 5.11: whole milliseconds, and what is left of them without sleeping.
  const Nanos milliseconds = std::min<Nanos>(wait / kMillisecond, 1'000'000);
  return ::epoll_wait(epoll_.get(), events_.data(), capacity, static_cast<int>(milliseconds));
}

int Poller::Poll(Nanos until) {
  const int count = Wait(until);
  now_ = Clock::Real().Now();
  event_count_ = std::max(count, 0);  // EINTR: none
  int called = 0;
  for (event_next_ = 0; event_next_ < event_count_;) {
    const epoll_event event = events_[static_cast<std::size_t>(event_next_++)];
    if (event.data.ptr != nullptr) {
      static_cast<PollHandler*>(event.data.ptr)->OnEvents(event.events);
      ++called;
    }
  }
  event_next_ = event_count_ = 0;
  return called;
}

}  // namespace headrace::load
