#include "engine/simulator/simulation.h"

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/dispatcher.h"
#include "engine/ordering.h"
#include "engine/request.h"
#include "engine/simulator/agenda.h"
#include "engine/simulator/checker.h"

namespace headrace::engine::simulator {
namespace {

using Place = Checker::Place;
using Requests = std::vector<std::unique_ptr<InferRequest>>;

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

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        random_(options.seed),
        scenario_(Scenario::Draw(random_)),
        checker_(scenario_, options.trace),
        queue_(options.queue(scenario_)),
        dispatcher_(*queue_),
        runners_(static_cast<std::size_t>(scenario_.instances)) {}

  SimulationResult Run() {
    checker_.Trace(0, "seed {}: {}", options_.seed, scenario_.ToString());
    Start();
    std::uint64_t events = 0;
    while (!agenda_.empty() && !checker_.failed() && events < kEventsMax) {
      if (agenda_.next_time() > now_) {
        checker_.CheckBeforeTimeMoves(now_, queue_->closed(), dispatcher_.lot().idle_count(),
                                      dispatcher_.lot().waking_count());
        now_ = agenda_.next_time();
      }
      agenda_.RunNext();
      ++events;
      checker_.CheckPlaces(*queue_);
    }
    if (!checker_.failed()) {
      checker_.CheckEnd(*queue_, runners_present_);
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

  struct Runner : RunnerLot::Parked {
    std::uint64_t sleep = 0;  // counts its sleeps, so that an old timer finds that it is over
    bool asleep = false;
  };

  void Start() {
    now_ = kEpoch;
    for (Runner& runner : runners_) {
      ++runners_present_;
      agenda_.At(now_, [this, &runner] { AtQueue(runner, false); });
    }
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
    const auto pushed = dispatcher_.Push(request, now_);
    if (pushed.result == QueueCore::PushResult::kAccepted) {
      checker_.Accepted(record, now_);
      Wake(pushed.wake);
      if (record.expiry != kNever) {
        agenda_.At(record.expiry, [this] { Expire(); });
      }
      return;
    }
    checker_.Refused(record, pushed.result, queue_->closed());
    request->Finish(Unavailable("refused"), FailureReason::kRejected);
  }

  // The queue's own thread.
  void Expire() {
    QueueCore::Popped popped;
    queue_->Expire(now_, popped);
    for (const auto& request : Take(popped.dropped)) {
      Drop(*request);
    }
  }

  // Runners: what RequestQueue::PopBatch does, with events in place of sleep.
  void AtQueue(Runner& runner, bool woken) {
    for (;;) {
      QueueCore::Popped popped;
      const auto step = dispatcher_.Pop(runner, std::exchange(woken, false), now_, popped);
      Requests batch = Take(popped.batch);
      Took(runner, batch);
      Wake(step.wake);
      for (const auto& request : Take(popped.dropped)) {
        Drop(*request);
      }
      if (!batch.empty()) {
        Execute(runner, std::move(batch));
        return;
      }
      if (step.closed) {
        checker_.Trace(now_, "runner {} leaves", Number(runner));
        --runners_present_;
        return;
      }
      if (step.parked) {
        Sleep(runner, step.sleep_until);
        return;
      }
    }
  }

  void Took(Runner& runner, const Requests& batch) {
    if (batch.empty()) {
      return;
    }
    std::vector<Checker::Record*> records;
    for (const auto& request : batch) {
      records.push_back(checker_.Find(request->correlation_id));
    }
    checker_.Trace(now_, "runner {} takes {} requests from {}", Number(runner), batch.size(),
                   records.front()->number);
    checker_.Dispatched(records, queue_->closed(), now_);
  }

  // What an instance does that can have a second batch on its way: it asks before it is through.
  Requests TakeAhead(Runner& runner) {
    if (scenario_.requests % 3 != 0) {
      return {};  // some have none; no draw, so that seeds keep their meaning
    }
    QueueCore::Popped popped;
    dispatcher_.PopAhead(now_, popped);
    Requests batch = Take(popped.batch);
    Took(runner, batch);
    for (const auto& request : Take(popped.dropped)) {
      Drop(*request);
    }
    return batch;
  }

  void Drop(InferRequest& request) {
    const Checker::Record& record = *checker_.Find(request.correlation_id);
    if (record.live(now_)) {
      checker_.Fail(fmt::format("request {} was dropped though it was alive", record.number));
    }
    checker_.Trace(now_, "request {} is dropped", record.number);
    request.Finish(Cancelled("dropped"), FailureReason::kCanceled);
  }

  void Sleep(Runner& runner, Nanos until) {
    runner.asleep = true;
    const std::uint64_t sleep = ++runner.sleep;
    checker_.Trace(now_, "runner {} sleeps{}", Number(runner),
                   until == kNever
                       ? ""
                       : fmt::format(" until {:.1f}us", static_cast<double>(until) / kMicrosecond));
    if (until == kNever) {
      return;
    }
    agenda_.At(std::max(until, now_), [this, &runner, sleep] {
      if (runner.asleep && runner.sleep == sleep && dispatcher_.TimedOut(runner)) {
        runner.asleep = false;
        AtQueue(runner, false);
      }
    });
  }

  void Wake(RunnerLot::Parked* parked) {
    if (parked == nullptr || random_.Chance(options_.lost_wakeup_percent)) {
      return;
    }
    auto& runner = *static_cast<Runner*>(parked);
    runner.asleep = false;
    agenda_.At(now_ + Up(scenario_.wake_latency_max), [this, &runner] { AtQueue(runner, true); });
  }

  void Execute(Runner& runner, Requests batch) {
    auto shared = std::make_shared<Requests>(std::move(batch));
    agenda_.At(now_ + Up(scenario_.execution_max), [this, &runner, shared] {
      while (!shared->empty()) {
        const auto i = static_cast<std::size_t>(
            random_.Between(0, static_cast<std::int64_t>(shared->size()) - 1));
        Answer(std::move((*shared)[i]));
        shared->erase(shared->begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (Requests next = TakeAhead(runner); !next.empty()) {
        Execute(runner, std::move(next));
        return;
      }
      AtQueue(runner, false);
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
    while (RunnerLot::Parked* runner = dispatcher_.Close()) {
      Wake(runner);
    }
    queue_->Close();
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

  std::size_t Number(const Runner& runner) const {
    return static_cast<std::size_t>(&runner - runners_.data());
  }

  const SimulationOptions& options_;
  Random random_;
  const Scenario scenario_;
  Checker checker_;  // before everything that holds requests, whose sinks borrow it
  std::shared_ptr<ResponseOrder> order_ = std::make_shared<ResponseOrder>();
  std::unique_ptr<QueueUnderTest> queue_;
  Dispatcher<QueueUnderTest> dispatcher_;
  std::vector<Runner> runners_;
  Agenda agenda_;
  Nanos now_ = 0;
  int requests_made_ = 0;
  int runners_present_ = 0;
};

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) { return Simulation(options).Run(); }

}  // namespace headrace::engine::simulator
