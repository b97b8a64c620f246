// What a pipeline of two stages brings, and what an ensemble costs. Run by hand:
//   bench_ensemble [seconds per measurement]
// Pipeline: a preprocessing step and a model that take 1 and 2 ms (asleep, so that the machine's
// cores do not matter), one instance each, batches of one. Both are busy when the ensemble's
// throughput is that of the slower step alone. Cost: steps that answer at once.
#include "engine/ensemble.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <thread>

#include "engine/testing/fake_backend.h"
#include "engine_window.h"

namespace headrace::engine {
namespace {

class Bench {
 public:
  ~Bench() { (void)(ensemble_ != nullptr && ensemble_->Drain(kSecond)); }

  // A model whose executions take `duration`.
  ModelHandle Add(const std::string& name, Nanos duration) {
    ModelOptions options = testing::SmallModel();
    options.name = name;
    options.batching = {};
    const auto execute = [duration](Batch batch) {
      if (duration > 0) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(duration));
      }
      for (auto& request : batch.requests) {
        Tensor tensor = request->inputs[0].tensor;
        request->Send({.outputs = {{"Y", std::move(tensor)}}, .parameters = {}});
        request->Finish(OkStatus());
      }
    };
    ModelHandle model = Model::Start(std::move(options),
                                     std::make_unique<testing::FakeModel>(execute), Clock::Real())
                            .value();
    registry_.SetVersion(name, 1, {.state = ModelState::kReady, .reason = "", .model = model});
    return model;
  }

  ModelHandle AddEnsemble(const ModelHandle& first, const ModelHandle& second) {
    ModelOptions options = testing::SmallModel();
    options.name = "ensemble";
    options.placements.clear();
    const EnsembleSpec spec{
        .name = "ensemble",
        .steps = {
            {.model = first->name(), .inputs = {{"X", "X"}}, .outputs = {{"Y", "between"}}},
            {.model = second->name(), .inputs = {{"X", "between"}}, .outputs = {{"Y", "Y"}}}}};
    options.ensemble = std::make_shared<Ensemble>(
        MakeEnsemblePlan(spec, options.signature, {{&first->signature()}, {&second->signature()}})
            .value(),
        registry_, pool_);
    ensemble_ =
        Model::Start(std::move(options), std::make_unique<testing::FakeModel>(), Clock::Real())
            .value();
    return ensemble_;
  }

 private:
  BlockPool pool_;
  Registry registry_;
  ModelHandle ensemble_;
};

struct Measured {
  double per_second = 0;
  double cpu_ns = 0;  // of the process, for a request
};

Measured Run(const ModelHandle& model, std::ptrdiff_t outstanding, double seconds) {
  const auto cpu = [] {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  };
  Window window(outstanding);
  const double cpu_start = cpu();
  const Nanos start = Clock::Real().Now();
  const Nanos end = start + static_cast<Nanos>(seconds * 1e9);
  double count = 0;
  while (Clock::Real().Now() < end) {
    window.acquire();
    auto request = std::make_unique<InferRequest>(model, std::make_unique<WindowSink>(window));
    request->inputs.push_back(testing::Fp32Input("X", Shape{1, 1}));
    model->Submit(std::move(request));
    ++count;
  }
  for (std::ptrdiff_t i = 0; i < outstanding; ++i) {
    window.acquire();
  }
  const auto elapsed = static_cast<double>(Clock::Real().Now() - start) / 1e9;
  return {count / elapsed, (cpu() - cpu_start) / count};
}

int Main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  {
    Bench bench;
    const ModelHandle first = bench.Add("preprocessing", kMillisecond);
    const ModelHandle second = bench.Add("model", 2 * kMillisecond);
    const ModelHandle both = bench.AddEnsemble(first, second);
    const double first_alone = Run(first, 16, seconds).per_second;
    const double second_alone = Run(second, 16, seconds).per_second;
    const double pipeline = Run(both, 16, seconds).per_second;
    fmt::print("preprocessing alone {:8.1f} /s\nmodel alone         {:8.1f} /s\n", first_alone,
               second_alone);
    fmt::print("one after the other {:8.1f} /s (computed)\n",
               1 / (1 / first_alone + 1 / second_alone));
    fmt::print("ensemble            {:8.1f} /s = {:.1f} % of the slower step\n", pipeline,
               100 * pipeline / std::min(first_alone, second_alone));
  }
  Bench bench;
  const ModelHandle first = bench.Add("first", 0);
  const ModelHandle second = bench.Add("second", 0);
  const ModelHandle both = bench.AddEnsemble(first, second);
  for (const std::ptrdiff_t outstanding : {1, 16, 256}) {
    const Measured one = Run(first, outstanding, seconds);
    const Measured two = Run(both, outstanding, seconds);
    fmt::print("CPU at {:3} outstanding: one model {:6.0f} ns, ensemble of two {:6.0f} ns\n",
               outstanding, one.cpu_ns, two.cpu_ns);
  }
  return 0;
}

}  // namespace
}  // namespace headrace::engine

int main(int argc, char** argv) { return headrace::engine::Main(argc, argv); }
