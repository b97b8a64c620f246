// Transports to a server that exists only as a function: how long a request takes, and how it ends.
#ifndef HEADRACE_LOAD_TESTING_FAKE_TRANSPORTS_H_
#define HEADRACE_LOAD_TESTING_FAKE_TRANSPORTS_H_

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "load/transport.h"

namespace headrace::load::testing {

struct FakeAnswer {
  Nanos delay = 0;  // kNever: none comes
  Outcome outcome = Outcome::kOk;
  std::uint32_t wire_status = 200;
};
// Of the time of sending (CLOCK_MONOTONIC). Called on the senders' threads.
using FakeServer = std::function<FakeAnswer(Nanos sent)>;

class FakeTransport final : public Transport, public PollHandler {
 public:
  FakeTransport(const FakeServer& server, const Status& connected)
      : server_(server), connected_(connected) {}
  ~FakeTransport() override {
    if (poller_ != nullptr) {
      poller_->Remove(timer_.get(), *this);
    }
  }

  Status Connect(Poller& poller, CompletionSink& sink, int) override {
    HEADRACE_RETURN_IF_ERROR(connected_);
    timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    poller_ = &poller;
    sink_ = &sink;
    return poller.Add(timer_.get(), EPOLLIN, *this);
  }

  void Send(const Outgoing& request) override {
    const Nanos now = Clock::Real().Now();
    Out& out = out_.emplace_back();
    out.slot = request.slot;
    out.sent = now;
    out.answer = server_(now);
    out.due = out.answer.delay == kNever ? kNever : now + out.answer.delay;
    if (request.timeout_at < out.due) {
      out.due = request.timeout_at;
      out.answer = {0, Outcome::kTimeout, 0};
    }
    Arm();
  }

  void Abandon() override {
    for (const Out& out : std::exchange(out_, {})) {
      Tell(out, Clock::Real().Now(), Outcome::kTimeout, 0);
    }
  }

  std::uint64_t waited_count() const override { return 0; }

  void OnEvents(std::uint32_t) override {
    std::uint64_t expirations = 0;
    [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof expirations);
    const Nanos now = Clock::Real().Now();
    std::vector<Out> ended;
    const auto split = std::stable_partition(out_.begin(), out_.end(),
                                             [now](const Out& out) { return out.due > now; });
    ended.assign(split, out_.end());
    out_.erase(split, out_.end());
    Arm();
    for (const Out& out : ended) {
      Tell(out, std::max(out.due, out.sent), out.answer.outcome, out.answer.wire_status);
    }
  }

 private:
  struct Out {
    std::uint32_t slot = 0;
    Nanos sent = 0, due = kNever;
    FakeAnswer answer;
  };

  void Tell(const Out& out, Nanos when, Outcome outcome, std::uint32_t wire_status) {
    if (outcome != Outcome::kConnect) {
      sink_->OnSent(out.slot, out.sent, is_cold_);
      is_cold_ = false;
    }
    sink_->OnDone(out.slot, when, outcome, wire_status);
  }

  void Arm() {
    Nanos next = kNever;
    for (const Out& out : out_) {
      next = std::min(next, out.due);
    }
    itimerspec time{};
    if (next != kNever) {
      time.it_value.tv_sec = next / kSecond;
      time.it_value.tv_nsec = std::max<Nanos>(next % kSecond, 1);
    }
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &time, nullptr);
  }

  const FakeServer& server_;
  const Status connected_;
  Poller* poller_ = nullptr;
  CompletionSink* sink_ = nullptr;
  UniqueFd timer_;
  std::vector<Out> out_;
  bool is_cold_ = true;
};

class FakeTransports final : public TransportFactory {
 public:
  explicit FakeTransports(FakeServer server, Status connected = OkStatus())
      : server_(std::move(server)), connected_(std::move(connected)) {}
  std::unique_ptr<Transport> Make() override {
    return std::make_unique<FakeTransport>(server_, connected_);
  }

 private:
  const FakeServer server_;
  const Status connected_;
};

}  // namespace headrace::load::testing

#endif  // HEADRACE_LOAD_TESTING_FAKE_TRANSPORTS_H_
