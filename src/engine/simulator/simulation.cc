#include "engine/simulator/simulation.h"

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/ordering.h"
#include "engine/request.h"
#include "engine/simulator/agenda.h"
#include "engine/simulator/checker.h"
#include "engine/simulator/virtual_runners.h"

namespace headrace::engine::simulator {
namespace {

using Place = Checker::Place;

class Sink final : public ResponseSink {
 public:
  Sink(Checker& checker, Checker::Record& record) : checker_(checker), record_(record) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("no outputs here");
  }
  void Send(InferResponse) override {
    if (record_.ends != 0) {
      checker_.Fail(fmt::format("request {} was answered after its end", record_.number));
    }
  }
  void Finish(Status status) override { checker_.Ended(record_, status); }
  bool Cancelled() const override { return record_.cancelled; }

 private:
  Checker& checker_;
  Checker::Record& record_;
};

class Simulation final : private VirtualRunners::Host {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        random_(options.seed),
        scenario_(Scenario::Draw(random_)),
        checker_(scenario_, options.trace),
        queue_(options.queue(scenario_)),
        runners_(*queue_, agenda_, static_cast<std::size_t>(scenario_.instances),
                 scenario_.requests % 3 == 0,  // some; no draw, so that seeds keep their meaning
                 *this) {}

  SimulationResult Run() {
    checker_.Trace(0, "seed {}: {}", options_.seed, scenario_.ToString());
    Start();
    std::uint64_t events = 0;
    while (!agenda_.empty() && !checker_.failed() && events < kEventsMax) {
      if (agenda_.next_time() > now_) {
        checker_.CheckBeforeTimeMoves(now_, queue_->closed(), runners_.lot().idle_count(),
                                      runners_.lot().waking_count());
        now_ = agenda_.next_time();
      }
      agenda_.RunNext();
      ++events;
      checker_.CheckPlaces(*queue_);
    }
    if (!checker_.failed()) {
      checker_.CheckEnd(*queue_, runners_.present());
    }
    SimulationResult result{.violation = checker_.violation(),
                            .event_count = events,
                            .request_count = checker_.request_count(),
                            .batch_count = checker_.batch_count()};
    if (!result.violation.empty()) {
      checker_.Trace(now_, "VIOLATION: {}", result.violation);
    }
    return result;
  }

 private:
  static constexpr std::uint64_t kEventsMax = 100'000;
  static constexpr Nanos kEpoch = kSecond;  // times of 0 mean "not yet" in a request

  void Start() {
    now_ = kEpoch;
    runners_.Start(now_);
    for (int client = 0; client < scenario_.clients; ++client) {
      agenda_.At(now_ + Up(scenario_.arrival_gap_max), [this] { Arrive(); });
    }
    if (scenario_.close_time != kNever) {
      agenda_.At(now_ + scenario_.close_time, [this] { Close(); });
    }
  }

  Nanos Up(Nanos last) { return random_.Between(0, last); }

  // Clients.
  void Arrive() {
    const std::int64_t burst = random_.Chance(scenario_.burst_percent) ? random_.Between(2, 20) : 1;
    for (std::int64_t i = 0; i < burst && requests_made_ < scenario_.requests; ++i) {
      Submit();
    }
    if (requests_made_ < scenario_.requests) {
      agenda_.At(now_ + Up(scenario_.arrival_gap_max), [this] { Arrive(); });
    } else {
      // Some time after the last request, so that the delay gets its turn too.
      agenda_.At(now_ + Up(2 * scenario_.policy.queue_delay_max), [this] { Close(); });
    }
  }

  void Submit() {
    ++requests_made_;
    Checker::Record& record = checker_.NewRequest();
    record.shape = static_cast<std::uint64_t>(random_.Between(1, scenario_.shapes));
    record.batch_size = random_.Between(1, scenario_.batch_size_max);
    record.byte_size = static_cast<std::size_t>(random_.Between(0, 1000));
    auto request =
        std::make_unique<InferRequest>(nullptr, std::make_unique<Sink>(checker_, record));
    request->correlation_id = record.number;
    request->shape_key = record.shape;
    request->batch_size = record.batch_size;
    request->byte_size = record.byte_size;
    if (random_.Chance(scenario_.deadline_percent)) {
      record.deadline = request->deadline = now_ + Up(2 * kMillisecond);
    }
    request->priority =
        static_cast<std::uint64_t>(random_.Between(0, scenario_.policies.level_count + 1));
    if (random_.Chance(scenario_.own_timeout_percent)) {
      request->timeout_us = static_cast<std::uint64_t>(random_.Between(1, 2000));
    }
    checker_.SetPolicy(record, request->priority, request->timeout_us, now_);
    if (random_.Chance(scenario_.cancel_percent)) {
      agenda_.At(now_ + Up(2 * kMillisecond), [this, &record] {
        checker_.Trace(now_, "request {} is cancelled", record.number);
        record.cancelled = true;
      });
    }
    if (scenario_.preserve_ordering) {
      request->WrapSink(
          [this](std::unique_ptr<ResponseSink> sink) { return order_->Join(std::move(sink)); });
    }
    checker_.Trace(now_, "request {} comes: shape {}, batch {}, {} bytes, level {}", record.number,
                   record.shape, record.batch_size, record.byte_size, record.level);
    const auto pushed = runners_.Push(request);
    if (pushed == QueueCore::PushResult::kAccepted) {
      checker_.Accepted(record, now_);
      if (record.expiry != kNever) {
        agenda_.At(record.expiry, [this] { runners_.Expire(); });
      }
      return;
    }
    checker_.Refused(record, pushed, queue_->closed());
    request->Finish(Unavailable("refused"), FailureReason::kRejected);
  }

  // Runners.
  Nanos WakeLatency() override { return Up(scenario_.wake_latency_max); }
  bool LosesWakeUp() override { return random_.Chance(options_.lost_wakeup_percent); }

  void Took(std::size_t runner, const Requests& batch) override {
    std::vector<Checker::Record*> records;
    for (const auto& request : batch) {
      records.push_back(checker_.Find(request->correlation_id));
    }
    checker_.Trace(now_, "runner {} takes {} requests from {}", runner, batch.size(),
                   records.front()->number);
    checker_.Dispatched(records, queue_->closed(), now_);
  }

  void Dropped(InferRequest& request) override {
    const Checker::Record& record = *checker_.Find(request.correlation_id);
    if (record.live(now_)) {
      checker_.Fail(fmt::format("request {} was dropped though it was alive", record.number));
    }
    checker_.Trace(now_, "request {} is dropped", record.number);
    request.Finish(Cancelled("dropped"), FailureReason::kCanceled);
  }

  void Sleeps(std::size_t runner, Nanos until) override {
    checker_.Trace(now_, "runner {} sleeps{}", runner,
                   until == kNever
                       ? ""
                       : fmt::format(" until {:.1f}us", static_cast<double>(until) / kMicrosecond));
  }

  void Leaves(std::size_t runner) override { checker_.Trace(now_, "runner {} leaves", runner); }

  void Execute(std::size_t runner, Requests batch) override {
    auto shared = std::make_shared<Requests>(std::move(batch));
    agenda_.At(now_ + Up(scenario_.execution_max), [this, runner, shared] {
      while (!shared->empty()) {
        const auto i = static_cast<std::size_t>(
            random_.Between(0, static_cast<std::int64_t>(shared->size()) - 1));
        Answer(std::move((*shared)[i]));
        shared->erase(shared->begin() + static_cast<std::ptrdiff_t>(i));
      }
      runners_.Done(runner);
    });
  }

  void Answer(std::unique_ptr<InferRequest> request) {
    if (random_.Chance(scenario_.late_answer_percent)) {
      checker_.Moved(*checker_.Find(request->correlation_id), Place::kLate);
      auto late = std::make_shared<std::unique_ptr<InferRequest>>(std::move(request));
      agenda_.At(now_ + Up(kMillisecond), [this, late] { End(std::move(*late)); });
      return;
    }
    End(std::move(request));
  }

  void End(std::unique_ptr<InferRequest> request) {
    Checker::Record& record = *checker_.Find(request->correlation_id);
    checker_.Trace(now_, "request {} is answered", record.number);
    // Its sink may hear of it only later, when its turn in the line has come.
    checker_.Moved(record, Place::kHeld);
    if (random_.Chance(scenario_.lost_answer_percent)) {
      return;  // the destructor ends it
    }
    request->Send({});
    request->Finish(OkStatus());
  }

  // The drain.
  void Close() {
    if (queue_->closed()) {
      return;
    }
    checker_.Trace(now_, "the queue is closed");
    runners_.Close();
    if (scenario_.abandon_after != kNever) {
      agenda_.At(now_ + scenario_.abandon_after, [this] { Abandon(); });
    }
  }

  void Abandon() {
    QueueCore::RequestList all;
    queue_->TakeAll(all);
    checker_.Trace(now_, "{} requests are abandoned", all.size());
    for (const auto& request : Take(all)) {
      request->Finish(Unavailable("abandoned"), FailureReason::kRejected);
    }
  }

  const SimulationOptions& options_;
  Random random_;
  const Scenario scenario_;
  Checker checker_;  // before everything that holds requests, whose sinks borrow it
  std::shared_ptr<ResponseOrder> order_ = std::make_shared<ResponseOrder>();
  std::unique_ptr<QueueUnderTest> queue_;
  Agenda agenda_;
  VirtualRunners runners_;
  Nanos now_ = 0;
  int requests_made_ = 0;
};

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) { return Simulation(options).Run(); }

}  // namespace headrace::engine::simulator
