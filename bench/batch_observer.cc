// What the hook for profiles costs a model that nobody watches (src/engine/batch_observer.h).
//   bench_batch_observer [seconds]
// Built twice: with the engine as it is, and with one that is compiled without the hook
// (bench/without_observer). bench/run_batch_observer.py runs both in turn and gives their ratio.
// Prints one line of JSON: processor time of the process for one batch, by whether the batch has
// one request or several, and what a look at the hook alone takes.
#include "engine/batch_observer.h"

#include <fmt/format.h>

#include <memory>

#include "base/checked_math.h"
#include "base/clock.h"
#include "engine/model.h"
#include "engine/testing/fake_backend.h"
#include "engine_window.h"

namespace headrace::engine {
namespace {

class Counting final : public BatchObserver {
 public:
  void OnBatch(const ObservedBatch& batch) override { requests_ += batch.requests.size(); }

 private:
  std::uint64_t requests_ = 0;  // of the model's one instance
};

struct Cost {
  double cpu_ns = 0;   // of a batch
  double batches = 0;  // a second
};

// Batches that take no time themselves, so that what is around them shows.
Cost BatchCost(bool dynamic, Nanos duration, std::shared_ptr<BatchObserver> observer) {
  constexpr int kOutstanding = 64;
  ModelOptions options = testing::SmallModel();
  options.batching.dynamic = dynamic;
  const ModelHandle model =
      Model::Start(std::move(options), std::make_unique<testing::FakeModel>(), Clock::Real())
          .value();
  model->SetBatchObserver(std::move(observer));
  Window window(kOutstanding);
  const Nanos cpu = CpuTime();
  const Nanos start = Clock::Real().Now();
  Nanos now = start;
  while (now - start < duration) {
    constexpr int kStep = 1000;
    for (int i = 0; i < kStep; ++i) {
      window.acquire();
      auto request = std::make_unique<InferRequest>(model, std::make_unique<WindowSink>(window));
      request->inputs.push_back(testing::Fp32Input("X", Shape{1, 1}));
      request->times.received = now;
      model->Submit(std::move(request));
    }
    now = Clock::Real().Now();
  }
  for (int i = 0; i < kOutstanding; ++i) {
    window.acquire();
  }
  const auto batches = static_cast<double>(model->statistics().batch_size_histogram().count());
  const auto wall = static_cast<double>(Clock::Real().Now() - start);
  return {.cpu_ns = static_cast<double>(CpuTime() - cpu) / batches,
          .batches = batches / wall * static_cast<double>(kSecond)};
}

double LookCost() {
  constexpr int kLooks = 50'000'000;
  BatchObserverSlot slot;
  const Nanos start = CpuTime();
  for (int i = 0; i < kLooks; ++i) {
    if (slot.Get() != nullptr) {
      return -1;
    }
    asm volatile("" : : "r"(&slot) : "memory");  // each time anew
  }
  return static_cast<double>(CpuTime() - start) / kLooks;
}

void Main(Nanos duration) {
  fmt::print("{{\"look_ns\": {:.3f}", LookCost());
  for (const bool dynamic : {false, true}) {
    const Cost cost = BatchCost(dynamic, duration, nullptr);
    const Cost watched = BatchCost(dynamic, duration, std::make_shared<Counting>());
    fmt::print(
        ", \"{}\": {{\"cpu_ns\": {:.1f}, \"batches_per_s\": {:.0f}, \"watched_cpu_ns\": {:.1f}}}",
        dynamic ? "dynamic" : "single", cost.cpu_ns, cost.batches, watched.cpu_ns);
  }
  fmt::print("}}\n");
}

}  // namespace
}  // namespace headrace::engine

int main(int argc, char** argv) {
  const auto seconds = argc > 1 ? headrace::ParseDecimal<int>(argv[1]) : std::optional<int>(1);
  headrace::engine::Main(seconds.value_or(1) * headrace::kSecond);
  return 0;
}
