#include "load/in_process_transport.h"

#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "load/first_failure.h"
#include "load/golden.h"
#include "load/grpc_outcome.h"
#include "load/in_process_call.h"
#include "load/in_process_server.h"

namespace headrace::load {
namespace {

// What senders share.
struct InProcessPlan {
  ~InProcessPlan() {
    if (allocator != nullptr) {
      (void)server->api().Take(server->api().ResponseAllocatorDelete(allocator));
    }
  }
  std::shared_ptr<InProcessServer> server;
  const Workload* workload = nullptr;
  TRITONSERVER_ResponseAllocator* allocator = nullptr;
};

// What the server may still use after the transport has gone.
struct Shared {
  std::shared_ptr<const InProcessPlan> plan;
  std::unique_ptr<InProcessInbox> inbox;
  std::vector<std::unique_ptr<InProcessCall>> calls;
};

constexpr Nanos kEndWait = 5 * kSecond;  // for requests that are under way at the end

class InProcessTransport final : public Transport, public PollHandler {
 public:
  InProcessTransport(std::shared_ptr<const InProcessPlan> plan, FirstFailure& first_failure)
      : shared_(std::make_unique<Shared>()), first_failure_(first_failure) {
    shared_->plan = std::move(plan);
    const std::vector<Item>& items = workload().items;
    free_.resize(items.size());
    for (std::size_t item = 0; item < items.size(); ++item) {
      free_[item].resize(items[item].contents.size());
    }
  }

  ~InProcessTransport() override {
    if (poller_ != nullptr) {
      poller_->Remove(shared_->inbox->fd(), *this);
    }
    sink_ = nullptr;
    for (InProcessCall* const call : out_) {
      call->Cancel();
    }
    // The inbox's descriptor is not waited on any more, but by this loop.
    const Nanos until = Clock::Real().Now() + kEndWait;
    auto poller = Poller::Make();
    if (shared_->inbox != nullptr && poller.ok() &&
        poller->Add(shared_->inbox->fd(), EPOLLIN, *this).ok()) {
      while (!AllIdle() && Clock::Real().Now() < until) {
        poller->Poll(Clock::Real().Now() + kMillisecond);
      }
    }
    if (!AllIdle()) {
      // The server has not given everything back. What it may still write to stays for ever.
      shared_.release();
    }
  }

  Status Connect(Poller& poller, CompletionSink& sink, int /*connections*/) override {
    HEADRACE_ASSIGN_OR_RETURN(shared_->inbox, InProcessInbox::Make());
    HEADRACE_RETURN_IF_ERROR(poller.Add(shared_->inbox->fd(), EPOLLIN, *this));
    poller_ = &poller;
    sink_ = &sink;
    return OkStatus();
  }

  void Send(const Outgoing& outgoing) override {
    const Nanos now = Clock::Real().Now();
    sent_.push_back({outgoing.slot, now, std::exchange(cold_, false)});
    std::vector<InProcessCall*>& free = free_[outgoing.item][outgoing.content];
    if (free.empty()) {
      auto made = InProcessCall::Make(*plan().server, plan().allocator, *shared_->inbox, workload(),
                                      outgoing.item, outgoing.content);
      if (!made.ok()) {
        Refuse(outgoing, made.status());
        return;
      }
      free.push_back(made->get());
      shared_->calls.push_back(*std::move(made));
    }
    InProcessCall& call = *free.back();
    free.pop_back();
    if (const Status status = call.Submit(outgoing); !status.ok()) {
      Refuse(outgoing, status);
      call.ended = call.told = true;
      free.push_back(&call);
      return;
    }
    next_timeout_ = std::min(next_timeout_, outgoing.timeout_at);
    call.position = out_.size();
    out_.push_back(&call);
  }

  void Flush() override {
    for (const Sent& sent : sent_) {
      sink_->OnSent(sent.slot, sent.when, sent.cold);
    }
    sent_.clear();
    if (!refused_.empty()) {
      const Nanos now = Clock::Real().Now();
      for (const Refused& refused : refused_) {
        const GrpcEnding ending = EndingOfCode(static_cast<std::uint32_t>(refused.code));
        sink_->OnDone(refused.slot, now, ending.outcome, ending.code);
      }
      refused_.clear();
    }
    if (!unreleased_.empty()) {
      std::erase_if(unreleased_, [this](InProcessCall* call) { return FreeIfIdle(*call); });
    }
  }

  void Expire(Nanos now) override {
    if (now >= next_timeout_) {
      GiveUp([now](const Outgoing& outgoing) { return outgoing.timeout_at <= now; }, now);
    }
  }

  void Abandon() override {
    Flush();
    GiveUp([](const Outgoing&) { return true; }, Clock::Real().Now());
  }

  std::uint64_t waited_count() const override { return 0; }

  // The inbox has something.
  void OnEvents(std::uint32_t) override {
    auto batch = shared_->inbox->PopAll();
    while (InProcessEvent* const event = batch.PopFront()) {
      TakeEvent(*event);
      if (!event->in_call) {
        delete event;
      }
    }
  }

 private:
  struct Sent {
    std::uint32_t slot;
    Nanos when;
    bool cold;
  };
  struct Refused {
    std::uint32_t slot;
    StatusCode code;
  };

  const InProcessPlan& plan() const { return *shared_->plan; }
  const Workload& workload() const { return *plan().workload; }
  bool AllIdle() const {
    return std::all_of(shared_->calls.begin(), shared_->calls.end(),
                       [](const auto& call) { return call->idle(); });
  }

  void Refuse(const Outgoing& outgoing, const Status& why) {
    refused_.push_back({outgoing.slot, why.code()});
    first_failure_.Note(why.message());
  }

  void TakeEvent(InProcessEvent& event) {
    InProcessCall& call = *event.call;
    const TritonApi& api = plan().server->api();
    StatusCode code = StatusCode::kOk;
    if (event.response != nullptr) {
      if (TRITONSERVER_Error* const error = api.InferenceResponseError(event.response)) {
        const Status status = api.Take(error);
        code = status.code();
        if (!call.told) {
          first_failure_.Note(status.message());
        }
      } else if (!call.told) {
        TakeOutputs(call, event);
      }
      (void)api.Take(api.InferenceResponseDelete(event.response));
    }
    if (!call.told && (event.final || code != StatusCode::kOk)) {
      GrpcEnding ending = EndingOfCode(static_cast<std::uint32_t>(code));
      if (ending.outcome == Outcome::kOk && call.wrong) {
        ending.outcome = Outcome::kWrong;
      }
      Tell(call, event.when, ending);
    }
    if (event.final) {
      call.ended = true;
      out_[call.position] = out_.back();
      out_[call.position]->position = call.position;
      out_.pop_back();
      if (!FreeIfIdle(call)) {
        unreleased_.push_back(&call);
      }
    }
  }

  void TakeOutputs(InProcessCall& call, const InProcessEvent& event) {
    if (call.golden() != nullptr && !std::exchange(call.checked, true)) {
      const Mismatch mismatch = call.Compare(event.response);
      call.wrong = mismatch.has_value();
      if (mismatch) {
        first_failure_.Note(*mismatch);
      }
    }
    // The one response of a request is told with its end.
    if (sink_ != nullptr && (!event.final || call.has_outputs)) {
      sink_->OnResponse(call.outgoing.slot, event.when);
    }
    call.has_outputs = true;
  }

  void Tell(InProcessCall& call, Nanos when, GrpcEnding ending) {
    call.told = true;
    if (sink_ != nullptr) {
      sink_->OnDone(call.outgoing.slot, when, ending.outcome, ending.code);
    }
  }

  bool FreeIfIdle(InProcessCall& call) {
    if (!call.idle()) {
      return false;
    }
    free_[call.outgoing.item][call.outgoing.content].push_back(&call);
    return true;
  }

  template <typename Matches>
  void GiveUp(Matches matches, Nanos now) {
    next_timeout_ = kNever;
    for (InProcessCall* const call : out_) {
      if (call->told) {
        continue;
      }
      if (!matches(call->outgoing)) {
        next_timeout_ = std::min(next_timeout_, call->outgoing.timeout_at);
        continue;
      }
      call->Cancel();
      Tell(*call, now, EndingOfCode(static_cast<std::uint32_t>(StatusCode::kDeadlineExceeded)));
    }
  }

  std::unique_ptr<Shared> shared_;
  FirstFailure& first_failure_;
  Poller* poller_ = nullptr;
  CompletionSink* sink_ = nullptr;  // null: nobody is told any more
  bool cold_ = true;
  std::vector<std::vector<std::vector<InProcessCall*>>> free_;  // by item and content
  std::vector<InProcessCall*> out_;
  std::vector<InProcessCall*> unreleased_;  // ended, and still with the server
  std::vector<Sent> sent_;                  // of this turn
  std::vector<Refused> refused_;            // of this turn
  Nanos next_timeout_ = kNever;
};

class InProcessTransportFactory final : public TransportFactory {
 public:
  explicit InProcessTransportFactory(std::shared_ptr<const InProcessPlan> plan)
      : plan_(std::move(plan)) {}
  std::unique_ptr<Transport> Make() override {
    return std::make_unique<InProcessTransport>(plan_, first_failure_);
  }
  std::string FirstFailureText() const override { return first_failure_.text(); }

 private:
  const std::shared_ptr<const InProcessPlan> plan_;
  FirstFailure first_failure_;
};

}  // namespace

Result<std::unique_ptr<TransportFactory>> MakeInProcessTransportFactory(const TargetSpec& target,
                                                                        const Workload& workload) {
  if (target.shared_memory != TargetSpec::SharedMemory::kNone) {
    return InvalidArgument("a server in this process has the tensors in its memory already");
  }
  auto plan = std::make_shared<InProcessPlan>();
  HEADRACE_ASSIGN_OR_RETURN(plan->server, InProcessServer::Of(target));
  plan->workload = &workload;
  const TritonApi& api = plan->server->api();
  HEADRACE_RETURN_IF_ERROR(api.Take(api.ResponseAllocatorNew(
      &plan->allocator, &InProcessCall::Allocate, &InProcessCall::Release, nullptr)));
  HEADRACE_ASSIGN_OR_RETURN(auto inbox, InProcessInbox::Make());
  for (std::uint32_t i = 0; i < workload.items.size(); ++i) {
    const Item& item = workload.items[i];
    HEADRACE_RETURN_IF_ERROR(plan->server->Need(item.model));
    // Each is made once here, so that the run does not begin with what cannot be made.
    for (std::uint32_t content = 0; content < item.contents.size(); ++content) {
      auto call = InProcessCall::Make(*plan->server, plan->allocator, *inbox, workload, i, content);
      if (!call.ok()) {
        return call.status().WithPrefix(fmt::format("item '{}', content {}: ", item.name, content));
      }
    }
  }
  return std::unique_ptr<TransportFactory>(
      std::make_unique<InProcessTransportFactory>(std::move(plan)));
}

}  // namespace headrace::load
