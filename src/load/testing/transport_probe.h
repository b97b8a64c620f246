// Drives a transport as a sender does, and keeps what it says of each request.
#ifndef HEADRACE_LOAD_TESTING_TRANSPORT_PROBE_H_
#define HEADRACE_LOAD_TESTING_TRANSPORT_PROBE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "load/poller.h"
#include "load/transport.h"

namespace headrace::load {

// One thread. Slots are numbered as they are sent.
class TransportProbe final : public CompletionSink {
 public:
  struct Request {
    int sent_count = 0, done_count = 0, response_count = 0;
    bool cold = false;
    Nanos sent = 0, done = 0, first_response = 0;
    Outcome outcome = Outcome::kOk;
    std::uint32_t wire_status = 0;
  };

  explicit TransportProbe(std::unique_ptr<Transport> transport)
      : poller_(MakePoller()), transport_(std::move(transport)) {}

  Status Connect(int connections = 1) {
    return transport_->Connect(poller_, *this, connections);
  }
  // Queued until the next turn. Returns its slot.
  std::uint32_t Send(Outgoing outgoing = {}) {
    outgoing.slot = static_cast<std::uint32_t>(requests_.size());
    requests_.emplace_back();
    transport_->Send(outgoing);
    return outgoing.slot;
  }
  void Turn(Nanos wait = 20 * kMillisecond) {
    transport_->Flush();
    const Nanos now = Clock::Real().Now();
    transport_->Expire(now);
    poller_.Poll(wait == 0 ? 0 : now + wait);
  }
  // Turns until `met`. A test that waits in vain is ended by its runner.
  void Until(const std::function<bool()>& met) {
    while (!met()) {
      Turn();
    }
  }
  void UntilAllDone() {
    Until([this] { return done_count_ == requests_.size(); });
  }
  // Sends one and waits for its end.
  const Request& Ask(const Outgoing& outgoing = {}) {
    const std::uint32_t slot = Send(outgoing);
    Until([&] { return requests_[slot].done_count > 0; });
    return requests_[slot];
  }

  const Request& request(std::uint32_t slot) const { return requests_[slot]; }
  std::size_t done_count() const { return done_count_; }
  Transport& transport() { return *transport_; }

  void OnSent(std::uint32_t slot, Nanos when, bool cold) override {
    Request& request = requests_[slot];
    HEADRACE_CHECK(request.done_count == 0);
    ++request.sent_count;
    request.sent = when;
    request.cold = cold;
  }
  void OnResponse(std::uint32_t slot, Nanos when) override {
    Request& request = requests_[slot];
    HEADRACE_CHECK(request.done_count == 0);
    if (request.response_count++ == 0) {
      request.first_response = when;
    }
  }
  void OnDone(std::uint32_t slot, Nanos when, Outcome outcome, std::uint32_t wire_status) override {
    Request& request = requests_[slot];
    HEADRACE_CHECK(++request.done_count == 1);
    request.done = when;
    request.outcome = outcome;
    request.wire_status = wire_status;
    ++done_count_;
  }

 private:
  static Poller MakePoller() {
    auto poller = Poller::Make();
    HEADRACE_CHECK(poller.ok());
    return *std::move(poller);
  }

  std::vector<Request> requests_;
  std::size_t done_count_ = 0;
  Poller poller_;
  std::unique_ptr<Transport> transport_;  // dies before the poller
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TESTING_TRANSPORT_PROBE_H_
