// What the engine costs for a request, without network or model. Run by hand:
//   engine_queue_bench [requests]
// Core: push and pop of the queue without threads, at several depths and numbers of shapes; must be
// flat. Clients that take turns: the same with requests of several clients, in a queue that lets
// them. Model: Submit to Finish through a real model with an instance that answers at once; CPU
// time of the whole process for a request, at several numbers of outstanding requests. At 1 every
// request wakes the instance; at 64 hardly any does.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/checked_math.h"
#include "base/clock.h"
#include "engine/model.h"
#include "engine/queue_core.h"
#include "engine/testing/fake_backend.h"
#include "engine/validate.h"
#include "engine_window.h"

namespace headrace::engine {
namespace {

class NullSink : public ResponseSink {
 public:
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("none");
  }
  void Send(InferResponse) override {}
  void Finish(Status) override {}
  bool Cancelled() const override { return false; }
};

// Push and pop of one request beside `depth` others, in nanoseconds.
double CoreCost(std::size_t depth, std::uint64_t shapes, int rounds, std::uint64_t clients = 1) {
  QueueCore core({.dynamic = true,
                  .batch_size_max = 8,
                  .preferred_sizes = {},
                  .queue_delay_max = kMillisecond},
                 {.request_count_max = 100'000,
                  .byte_size_max = std::size_t{1} << 40,
                  .fair_to_clients = true});
  Nanos now = kSecond;
  std::uint64_t next_shape = 0;
  const auto push = [&](std::unique_ptr<InferRequest> request) {
    request->client = 1 + next_shape % clients;
    request->shape_key = next_shape++ % shapes;
    core.Push(request, ++now);
  };
  const auto fresh = [] {
    return std::make_unique<InferRequest>(nullptr, std::make_unique<NullSink>());
  };
  for (std::size_t i = 0; i < depth; ++i) {
    push(fresh());
  }
  std::vector<std::unique_ptr<InferRequest>> spare;
  for (int i = 0; i < 8; ++i) {
    spare.push_back(fresh());
  }
  const Nanos start = CpuTime();
  std::int64_t pushed = 0;
  for (int round = 0; round < rounds; ++round) {
    for (auto& request : spare) {
      push(std::move(request));
      ++pushed;
    }
    spare.clear();
    now += kMillisecond;
    while (spare.size() < 8) {
      QueueCore::Popped popped;
      core.TryPop(now, popped);
      for (auto& request : Take(popped.batch)) {
        spare.push_back(std::move(request));
      }
    }
  }
  const double cost = static_cast<double>(CpuTime() - start) / static_cast<double>(pushed);
  QueueCore::RequestList rest;
  core.TakeAll(rest);
  for (const auto& request : Take(rest)) {
    request->Finish(OkStatus());
  }
  for (const auto& request : spare) {
    request->Finish(OkStatus());
  }
  return cost;
}

struct ModelCost {
  double cpu_ns, wall_ns, batch_size;
};

ModelCost MeasureModel(int outstanding, int requests, bool dynamic) {
  ModelOptions options = testing::SmallModel();
  options.batching.dynamic = dynamic;
  auto model =
      Model::Start(std::move(options), std::make_unique<testing::FakeModel>(), Clock::Real())
          .value();
  Window window(outstanding);
  const Nanos cpu = CpuTime();
  const Nanos wall = Clock::Real().Now();
  for (int i = 0; i < requests; ++i) {
    window.acquire();
    auto request = std::make_unique<InferRequest>(model, std::make_unique<WindowSink>(window));
    request->inputs.push_back(testing::Fp32Input("X", Shape{1, 1}));
    request->times.received = Clock::Real().Now();
    model->Submit(std::move(request));
  }
  for (int i = 0; i < outstanding; ++i) {
    window.acquire();
  }
  const auto& batches = model->statistics().batch_size_histogram();
  return {static_cast<double>(CpuTime() - cpu) / requests,
          static_cast<double>(Clock::Real().Now() - wall) / requests,
          static_cast<double>(batches.sum()) /
              static_cast<double>(std::max<std::uint64_t>(1, batches.count()))};
}

double ValidateCost(int requests) {
  const ModelOptions options = testing::SmallModel();
  InferRequest request(nullptr, std::make_unique<NullSink>());
  request.inputs.push_back(testing::Fp32Input("X", Shape{1, 1}));
  const Nanos start = CpuTime();
  for (int i = 0; i < requests; ++i) {
    if (!ValidateRequest(options.signature, options.name, request).ok()) {
      return -1;
    }
  }
  const double cost = static_cast<double>(CpuTime() - start) / requests;
  request.Finish(OkStatus());
  return cost;
}

void Main(int requests) {
  fmt::print("validate, one small input: {:.0f} ns\n", ValidateCost(requests));
  for (const std::uint64_t shapes : {1, 10, 1000}) {
    for (const std::size_t depth : {1, 100, 10'000}) {
      fmt::print("core, {:>6} waiting, {:>4} shapes: {:.0f} ns a request\n", depth, shapes,
                 CoreCost(depth, shapes, requests / 8));
    }
  }
  for (const std::uint64_t clients : {2, 100, 10'000}) {
    for (const std::size_t depth : {1, 100, 10'000}) {
      fmt::print("core, {:>6} waiting, {:>5} clients: {:.0f} ns a request\n", depth, clients,
                 CoreCost(depth, 1, requests / 8, clients));
    }
  }
  for (const bool dynamic : {true, false}) {
    for (const int outstanding : {1, 2, 16, 64, 1024}) {
      const ModelCost cost = MeasureModel(outstanding, requests, dynamic);
      fmt::print(
          "model, {} batching, {:>4} outstanding: {:.0f} ns CPU, {:.0f} ns a request, batches of "
          "{:.1f}\n",
          dynamic ? "dynamic" : "no     ", outstanding, cost.cpu_ns, cost.wall_ns, cost.batch_size);
    }
  }
}

}  // namespace
}  // namespace headrace::engine

int main(int argc, char** argv) {
  const auto requests =
      argc > 1 ? headrace::ParseDecimal<int>(argv[1]) : std::optional<int>(500'000);
  headrace::engine::Main(requests.value_or(500'000));
  return 0;
}
