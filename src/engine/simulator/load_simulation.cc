#include "engine/simulator/load_simulation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "engine/simulator/agenda.h"
#include "engine/simulator/virtual_runners.h"

namespace headrace::engine::simulator {
namespace {

constexpr Nanos kEpoch = kSecond;  // times of 0 mean "not yet" in a request

// Counts one request's end.
class LatencySink final : public ResponseSink {
 public:
  struct Book {
    const Agenda& agenda;
    Nanos added_latency;
    std::vector<Nanos> latencies;
    std::uint64_t refused = 0;
    ModelStatistics* statistics = nullptr;  // null: nobody looks at them
  };

  LatencySink(Book& book, Nanos arrived, bool counted)
      : book_(book), arrived_(arrived), counted_(counted) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("no outputs here");
  }
  void Send(InferResponse) override {}
  void Finish(Status status) override {
    const Nanos latency = book_.agenda.now() - arrived_ + book_.added_latency;
    if (book_.statistics != nullptr && status.ok()) {
      book_.statistics->RecordSuccess(latency);
    } else if (book_.statistics != nullptr) {
      book_.statistics->RecordFailure(FailureReason::kRejected, latency);
    }
    if (!counted_) {
      return;
    }
    if (status.ok()) {
      book_.latencies.push_back(latency);
    } else {
      ++book_.refused;
    }
  }
  bool Cancelled() const override { return false; }

 private:
  Book& book_;
  const Nanos arrived_;
  const bool counted_;
};

class LoadSimulation final : private VirtualRunners::Host {
 public:
  explicit LoadSimulation(const LoadScenario& scenario)
      : scenario_(scenario),
        random_(scenario.seed),
        book_{.agenda = agenda_, .added_latency = scenario.added_latency, .latencies = {}},
        queue_(RealQueue()(
            {.policy = scenario.policy, .limits = scenario.limits, .policies = scenario.policies})),
        setting_{scenario.policy.queue_delay_max, scenario.instances},
        runners_(*queue_, agenda_,
                 static_cast<std::size_t>(std::max(scenario.instances, scenario.instances_max)),
                 scenario.ahead, *this) {
    runners_.SetCount(static_cast<std::size_t>(scenario.instances));
    if (scenario_.control) {
      book_.statistics = &statistics_;
    }
  }

  LoadFigures Run() {
    runners_.Start(kEpoch);
    ScheduleArrival();
    ScheduleControl();
    while (!agenda_.empty() && !figures_.overrun) {
      agenda_.RunNext();
    }
    figures_.duration = agenda_.now() - kEpoch;
    const double time =
        static_cast<double>(figures_.duration) * static_cast<double>(scenario_.instances);
    figures_.busy_share = time > 0 ? std::min(1.0, static_cast<double>(busy_) / time) : 0;
    std::sort(book_.latencies.begin(), book_.latencies.end());
    figures_.latencies = std::move(book_.latencies);
    figures_.refused = book_.refused;
    return std::move(figures_);
  }

 private:
  void ScheduleArrival() {
    const Nanos next = scenario_.next_arrival();
    if (next != kNever) {
      agenda_.At(kEpoch + next, [this] { Arrive(); });
    } else {
      arrivals_over_ = true;
    }
  }

  void ScheduleControl() {
    if (scenario_.control && !arrivals_over_) {
      agenda_.At(std::max(agenda_.now(), kEpoch) + scenario_.control_interval,
                 [this] { Control(); });
    }
  }

  void Control() {
    const LoadSetting wanted = scenario_.control({.now = agenda_.now() - kEpoch,
                                                  .setting = setting_,
                                                  .queue_depth = queue_->depth(),
                                                  .executing = executing_,
                                                  .statistics = statistics_});
    if (wanted.queue_delay != setting_.queue_delay) {
      queue_->SetQueueDelay(wanted.queue_delay);
      runners_.RouseAll();
    }
    if (wanted.instances != setting_.instances) {
      runners_.SetCount(static_cast<std::size_t>(wanted.instances));
    }
    setting_ = wanted;
    ScheduleControl();
  }

  void Arrive() {
    const Nanos now = agenda_.now();
    const bool counted = now - kEpoch >= scenario_.measure_from;
    figures_.arrived += counted ? 1 : 0;
    auto request =
        std::make_unique<InferRequest>(nullptr, std::make_unique<LatencySink>(book_, now, counted));
    request->batch_size = scenario_.batch_size;
    if (book_.statistics != nullptr) {
      statistics_.RecordReceived();
    }
    if (runners_.Push(request) != QueueCore::PushResult::kAccepted) {
      request->Finish(Unavailable("refused"), FailureReason::kRejected);
    } else if (queue_->depth() > scenario_.backlog_max) {
      figures_.overrun = true;
      return;
    }
    ScheduleArrival();
  }

  Nanos WakeLatency() override { return scenario_.wake_latency; }

  void Execute(std::size_t runner, Requests batch) override {
    const auto size = static_cast<std::int64_t>(batch.size()) * scenario_.batch_size;
    ++figures_.batches[size];
    const Nanos time = scenario_.service_time(size, random_);
    busy_ += time;
    executing_ += batch.size();
    auto shared = std::make_shared<Requests>(std::move(batch));
    agenda_.At(agenda_.now() + time, [this, runner, shared, size, time] {
      executing_ -= shared->size();
      Record(*shared, size, time);
      for (const auto& request : *shared) {
        request->Finish(OkStatus());
      }
      shared->clear();
      runners_.Done(runner);
    });
  }

  void Record(const Requests& batch, std::int64_t size, Nanos time) {
    if (book_.statistics == nullptr) {
      return;
    }
    const Nanos end = agenda_.now(), start = end - time;
    const ExecutionTimes times{
        .exec_start = start, .compute_start = start, .compute_end = end, .exec_end = end};
    statistics_.RecordBatchExecution(static_cast<std::uint64_t>(size), times);
    for (const auto& request : batch) {
      statistics_.RecordRequestExecution(true, start - request->times.queued, times,
                                         static_cast<std::uint64_t>(request->batch_size));
    }
  }

  void Dropped(InferRequest& request) override {
    request.Finish(Unavailable("timeout"), FailureReason::kRejected);
  }

  const LoadScenario& scenario_;
  Random random_;
  // In this order: what holds requests goes before the book that their sinks borrow.
  LoadFigures figures_;
  Nanos busy_ = 0;
  std::size_t executing_ = 0;  // requests
  bool arrivals_over_ = false;
  ModelStatistics statistics_;
  LatencySink::Book book_;
  std::unique_ptr<QueueUnderTest> queue_;
  Agenda agenda_;
  LoadSetting setting_;
  VirtualRunners runners_;
};

}  // namespace

Nanos LoadFigures::Percentile(double percentile) const {
  if (arrived == 0) {
    return 0;
  }
  const auto rank = static_cast<std::uint64_t>(
      std::max(1.0, std::ceil(percentile / 100 * static_cast<double>(arrived))));
  return rank <= latencies.size() ? latencies[rank - 1] : kNever;
}

double LoadFigures::Mean() const {
  return latencies.empty() ? 0
                           : std::accumulate(latencies.begin(), latencies.end(), 0.0) /
                                 static_cast<double>(latencies.size());
}

double LoadFigures::batch_mean() const {
  double inferences = 0, executions = 0;
  for (const auto& [size, count] : batches) {
    inferences += static_cast<double>(size) * static_cast<double>(count);
    executions += static_cast<double>(count);
  }
  return executions > 0 ? inferences / executions : 0;
}

LoadFigures SimulateLoad(const LoadScenario& scenario) { return LoadSimulation(scenario).Run(); }

std::function<Nanos()> PoissonArrivals(double rate, Nanos end, std::uint64_t seed) {
  return [random = Random(seed), time = 0.0, rate, end]() mutable -> Nanos {
    time += random.Exponential() / rate * static_cast<double>(kSecond);
    return time < static_cast<double>(end) ? static_cast<Nanos>(time) : kNever;
  };
}

}  // namespace headrace::engine::simulator
