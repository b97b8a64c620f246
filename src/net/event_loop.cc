#include "net/event_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/thread.h"
#include "net/event_loop_impl.h"

namespace headrace::net {
namespace {

constexpr int kEventsPerTurn = 256;
// A turn that was full, or interrupted (as that of a process that goes on after SIGSTOP is), may
// have left events behind that came in time, so timeouts wait for a turn that saw all; after so
// many others they wait no longer.
constexpr int kPartialTurnsMax = 100;
// Requests that arrive in one turn wake their instance threads once, but no later than this and one
// event after the first.
constexpr Nanos kWakeDelayMax = 50 * kMicrosecond;

class FunctionTask final : public LoopTask {
 public:
  explicit FunctionTask(std::function<void()> function) : function_(std::move(function)) {}
  void Run() override { function_(); }

 private:
  std::function<void()> function_;
};

}  // namespace

bool LoopWaker::Open() {
  fd_.Reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  return static_cast<bool>(fd_);
}

void LoopWaker::WakeNow() {
  if (!asleep_.exchange(false, std::memory_order_acq_rel)) {
    return;
  }
  // The counter is never read: in an edge-triggered set every write is an event of its own.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof(one));
}

EventLoop::Impl::Impl(std::string name, int cpu, BlockPool& pool, const Clock& clock)
    : name_(std::move(name)),
      cpu_(cpu),
      pool_(pool),
      clock_(clock),
      waker_(std::make_shared<LoopWaker>()),
      now_(clock.Now()),
      scratch_(std::make_unique<char[]>(kScratchByteSize)) {
  head_scratch_.reserve(4096);
}

EventLoop::Impl::~Impl() {
  Stop();
  auto left = inbox_.PopAll();
  while (LoopTask* task = left.PopFront()) {
    delete task;
  }
}

Status EventLoop::Impl::Start() {
  HEADRACE_CHECK(!started_);
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_ || !waker_->Open()) {
    return ResourceExhausted("cannot start event loop '{}': {}", name_, std::strerror(errno));
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, waker_->fd(), &event) != 0) {
    return ResourceExhausted("cannot start event loop '{}': {}", name_, std::strerror(errno));
  }
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return ResourceExhausted("cannot start the thread of event loop '{}': {}", name_, error.what());
  }
  started_ = true;
  return OkStatus();
}

void EventLoop::Impl::Stop() {
  if (!started_ || closed_.exchange(true)) {
    return;
  }
  LoopTask* last = new FunctionTask([this] { stop_ = true; });
  inbox_.Push(*last);
  waker_->WakeNow();
  thread_.join();
}

void EventLoop::Impl::Post(std::unique_ptr<LoopTask> task) {
  if (closed_.load(std::memory_order_relaxed)) {
    return;
  }
  // Also when the inbox was not empty: whoever filled it may still owe the wake-up.
  inbox_.Push(*task.release());
  WakeBatch::Wake(waker_);
}

bool EventLoop::Impl::InLoopThread() const {
  return thread_id_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

Status EventLoop::Impl::Add(int fd, std::uint32_t events, EventSource& source) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ResourceExhausted("cannot watch a socket: {}", std::strerror(errno));
  }
  return OkStatus();
}

void EventLoop::Impl::Modify(int fd, std::uint32_t events, EventSource& source) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::Impl::Remove(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::Impl::DestroyLater(std::unique_ptr<EventSource> source) {
  ForgetResume(*source);
  dead_.push_back(std::move(source));
}

void EventLoop::Impl::ForgetResume(EventSource& source) {
  std::replace(resume_.begin(), resume_.end(), &source, static_cast<EventSource*>(nullptr));
  std::replace(resuming_.begin(), resuming_.end(), &source, static_cast<EventSource*>(nullptr));
}

int EventLoop::Impl::WaitMillis() {
  if (!resume_.empty()) {
    return 0;
  }
  Nanos deadline = kNever;
  for (TurnHook* hook = hooks_.First(); hook != nullptr; hook = hooks_.Next(*hook)) {
    deadline = std::min(deadline, hook->NextDeadline());
  }
  if (deadline == kNever) {
    return -1;
  }
  const Nanos left = std::max<Nanos>(deadline - now_, 0);
  // Rounded up, so that the turn does not come just before the deadline.
  return static_cast<int>(std::min<Nanos>((left + kMillisecond - 1) / kMillisecond, 60'000));
}

void EventLoop::Impl::RunTasks() {
  auto batch = inbox_.PopAll();
  while (LoopTask* task = batch.PopFront()) {
    const std::unique_ptr<LoopTask> owned(task);
    owned->Run();
  }
}

void EventLoop::Impl::RunResumes() {
  if (resume_.empty()) {
    return;
  }
  resuming_.swap(resume_);
  for (std::size_t i = 0; i < resuming_.size(); ++i) {
    if (resuming_[i] != nullptr) {
      resuming_[i]->OnEvents(0);
    }
  }
  resuming_.clear();
}

void EventLoop::Impl::RunEvents(std::span<const epoll_event> events, WakeBatch& wakes) {
  Nanos flushed = now_;
  for (const epoll_event& event : events) {
    auto* source = static_cast<EventSource*>(event.data.ptr);
    if (source == nullptr) {
      continue;  // the waker's
    }
    source->OnEvents(event.events);
    if (wakes.empty()) {
      continue;
    }
    if (const Nanos now = clock_.Now(); now - flushed > kWakeDelayMax) {
      wakes.Flush();
      flushed = now;
    }
  }
}

void EventLoop::Impl::Run() {
  thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  SetThreadName(name_);
  if (cpu_ >= 0) {
    // A processor that is not ours costs speed, not correctness: the thread runs wherever it may.
    [[maybe_unused]] const Status pinned = PinThread(std::array{cpu_});
  }
  std::array<epoll_event, kEventsPerTurn> events;
  WakeBatch wakes;
  int partial_turns = 0;
  Nanos timers_now = clock_.Now();
  while (!stop_) {
    int timeout_ms = WaitMillis();
    wakes.Flush();
    waker_->FallAsleep();
    if (!inbox_.empty()) {
      timeout_ms = 0;
    }
    const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, timeout_ms);
    waker_->Awake();
    // What came in before the wait began has been seen; what came in during it may not have been:
    // the thread can be stopped on its way out of the wait.
    const Nanos looked = std::exchange(now_, clock_.Now());
    partial_turns = count < 0 || count == kEventsPerTurn ? partial_turns + 1 : 0;
    if (partial_turns == 0 || partial_turns > kPartialTurnsMax) {
      timers_now = looked;
    }
    RunEvents({events.data(), static_cast<std::size_t>(std::max(count, 0))}, wakes);
    RunResumes();
    wakes.Flush();  // the instances work while the answers below are sent
    RunTasks();
    for (TurnHook *hook = hooks_.First(), *next; hook != nullptr; hook = next) {
      next = hooks_.Next(*hook);
      hook->OnTurn(timers_now);
    }
    dead_.clear();
  }
}

EventLoop::EventLoop(std::string name, int cpu, BlockPool& pool, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(name), cpu, pool, clock)) {}
EventLoop::~EventLoop() = default;

Status EventLoop::Start() { return impl_->Start(); }
void EventLoop::Stop() { impl_->Stop(); }
void EventLoop::Post(std::unique_ptr<LoopTask> task) { impl_->Post(std::move(task)); }
void EventLoop::PostFunction(std::function<void()> function) {
  impl_->Post(std::make_unique<FunctionTask>(std::move(function)));
}
bool EventLoop::InLoopThread() const { return impl_->InLoopThread(); }
Nanos EventLoop::now() const { return impl_->now(); }
BlockPool& EventLoop::pool() { return impl_->pool(); }
const Clock& EventLoop::clock() const { return impl_->clock(); }

}  // namespace headrace::net
