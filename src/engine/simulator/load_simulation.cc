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
  };

  LatencySink(Book& book, Nanos arrived, bool counted)
      : book_(book), arrived_(arrived), counted_(counted) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("no outputs here");
  }
  void Send(InferResponse) override {}
  void Finish(Status status) override {
    if (!counted_) {
      return;
    }
    if (status.ok()) {
      book_.latencies.push_back(book_.agenda.now() - arrived_ + book_.added_latency);
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
        runners_(*queue_, agenda_, static_cast<std::size_t>(scenario.instances), scenario.ahead,
                 *this) {}

  LoadFigures Run() {
    runners_.Start(kEpoch);
    ScheduleArrival();
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
    }
  }

  void Arrive() {
    const Nanos now = agenda_.now();
    const bool counted = now - kEpoch >= scenario_.measure_from;
    figures_.arrived += counted ? 1 : 0;
    auto request =
        std::make_unique<InferRequest>(nullptr, std::make_unique<LatencySink>(book_, now, counted));
    request->batch_size = scenario_.batch_size;
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
    auto shared = std::make_shared<Requests>(std::move(batch));
    agenda_.At(agenda_.now() + time, [this, runner, shared] {
      for (const auto& request : *shared) {
        request->Finish(OkStatus());
      }
      shared->clear();
      runners_.Done(runner);
    });
  }

  void Dropped(InferRequest& request) override {
    request.Finish(Unavailable("timeout"), FailureReason::kRejected);
  }

  const LoadScenario& scenario_;
  Random random_;
  // In this order: what holds requests goes before the book that their sinks borrow.
  LoadFigures figures_;
  Nanos busy_ = 0;
  LatencySink::Book book_;
  std::unique_ptr<QueueUnderTest> queue_;
  Agenda agenda_;
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
