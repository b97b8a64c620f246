#include "engine/ensemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeModel;
using testing::Fp32Input;
using ::testing::HasSubstr;
using testing::Latch;

// What a request was answered with.
struct Record {
  Answer answer;
  std::mutex mutex;
  std::vector<InferResponse> responses;  // guarded by mutex
};

class RecordingSink final : public ResponseSink {
 public:
  explicit RecordingSink(std::shared_ptr<Record> record) : record_(std::move(record)) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("none");
  }
  void Send(InferResponse response) override {
    {
      std::lock_guard lock(record_->mutex);
      record_->responses.push_back(std::move(response));
    }
    record_->answer.Sent();
  }
  void Finish(Status status) override { record_->answer.Ended(std::move(status)); }
  bool Cancelled() const override { return record_->answer.cancelled(); }

 private:
  const std::shared_ptr<Record> record_;
};

// Answers with the input as Y, the same memory.
void Echo(Batch batch) {
  for (auto& request : batch.requests) {
    Tensor tensor = request->inputs[0].tensor;
    request->Send({.outputs = {{"Y", std::move(tensor)}}, .parameters = {}});
    request->Finish(OkStatus());
  }
}

ModelOptions Options(const std::string& name, std::int64_t version = 1) {
  ModelOptions options = testing::SmallModel();
  options.name = name;
  options.version = version;
  options.signature.inputs[0].dims = Shape{-1};
  options.signature.outputs[0].dims = Shape{-1};
  return options;
}

// Says how it is whenever the test wants.
class WatchedInstance final : public Instance {
 public:
  explicit WatchedInstance(HealthListener& listener) : listener_(listener) {}
  void Execute(Batch batch) override { Echo(std::move(batch)); }
  void WatchHealth(HealthListener listener) override { listener_ = std::move(listener); }

 private:
  HealthListener& listener_;
};

class WatchedModel final : public LoadedModel {
 public:
  explicit WatchedModel(HealthListener& listener) : listener_(listener) {}
  void SetFinalConfig(std::string) override {}
  Result<std::unique_ptr<Instance>> CreateInstance(const InstancePlacement&) override {
    return std::unique_ptr<Instance>(std::make_unique<WatchedInstance>(listener_));
  }

 private:
  HealthListener& listener_;
};

class EnsembleTest : public ::testing::Test {
 protected:
  ~EnsembleTest() override {
    // Ensembles first: they wait for nobody else.
    for (auto it = started_.rbegin(); it != started_.rend(); ++it) {
      EXPECT_TRUE((*it)->Drain(10 * kSecond)) << (*it)->name();
    }
  }

  ModelHandle Add(ModelOptions options, std::function<void(Batch)> execute = &Echo) {
    return Add(std::move(options), std::make_unique<FakeModel>(std::move(execute)));
  }

  ModelHandle Add(ModelOptions options, std::unique_ptr<LoadedModel> loaded) {
    auto model = Model::Start(std::move(options), std::move(loaded), Clock::Real()).value();
    registry_.SetVersion(model->name(), model->version(),
                         {.state = ModelState::kReady, .reason = "", .model = model});
    started_.push_back(model);
    return model;
  }

  // Each step is (model, ensemble tensor that it reads as X, tensor that it writes as Y).
  struct Step {
    std::string model, input, output;
    std::int64_t version = -1;
  };
  ModelHandle AddEnsemble(const std::string& name, const std::vector<Step>& steps,
                          std::size_t inflight_max = 0, std::int64_t batch_size_max = 8,
                          Shape dims = {-1}) {
    ModelOptions options = Options(name);
    options.placements.clear();
    options.signature.batch_size_max = batch_size_max;
    options.signature.inputs[0].dims = dims;
    options.signature.outputs[0].dims = dims;
    EnsembleSpec spec{.name = name, .steps = {}, .inflight_max = inflight_max};
    std::vector<ComposingSignature> models;
    const auto snapshot = registry_.Load();
    for (const Step& step : steps) {
      spec.steps.push_back({.model = step.model,
                            .version = step.version,
                            .inputs = {{"X", step.input}},
                            .outputs = {{"Y", step.output}}});
      const ModelHandle model = snapshot->Lookup(step.model, std::nullopt).value();
      models.push_back({&model->signature(), model->options().decoupled});
    }
    auto plan = MakeEnsemblePlan(spec, options.signature, models);
    EXPECT_TRUE(plan.ok()) << plan.status().message();
    options.decoupled = plan->decoupled;
    options.ensemble = std::make_shared<Ensemble>(*std::move(plan), registry_, pool_);
    return Add(std::move(options));
  }

  std::shared_ptr<Record> Ask(const ModelHandle& model, Shape shape = {1, 1},
                              const std::function<void(InferRequest&)>& change = nullptr) {
    auto record = std::make_shared<Record>();
    auto request = std::make_unique<InferRequest>(model, std::make_unique<RecordingSink>(record));
    request->inputs.push_back(Fp32Input("X", shape));
    if (change) {
      change(*request);
    }
    model->Submit(std::move(request));
    return record;
  }

  BlockPool pool_;
  Registry registry_;
  std::vector<ModelHandle> started_;
};

TEST_F(EnsembleTest, HandsTensorsOn_WithoutACopy) {
  const auto a = Add(Options("a"));
  const auto b = Add(Options("b"));
  const auto e = AddEnsemble("e", {{"a", "X", "t"}, {"b", "t", "Y"}});
  const Buffer data = Fp32Input("X", {1, 4}).tensor.data;
  const auto record =
      Ask(e, {1, 4}, [&](InferRequest& request) { request.inputs[0].tensor.data = data; });
  EXPECT_TRUE(record->answer.Wait().ok());
  ASSERT_EQ(record->responses.size(), 1u);
  EXPECT_EQ(record->responses[0].outputs[0].name, "Y");
  EXPECT_EQ(record->responses[0].outputs[0].tensor.data.data(), data.data());
  EXPECT_EQ(a->statistics().Read().success.count, 1u);
  EXPECT_EQ(b->statistics().Read().success.count, 1u);
  EXPECT_EQ(e->statistics().Read().success.count, 1u);
}

TEST_F(EnsembleTest, StepsRunBesideEachOther) {
  Latch a_runs, b_runs;
  Add(Options("a"), [&](Batch batch) {
    a_runs.Open();
    b_runs.Wait();
    Echo(std::move(batch));
  });
  Add(Options("b"), [&](Batch batch) {
    b_runs.Open();
    a_runs.Wait();
    Echo(std::move(batch));
  });
  ModelOptions join = Options("join");
  join.signature.inputs.push_back({.name = "W", .dtype = DataType::kFp32, .dims = Shape{-1}});
  Add(join);
  ModelOptions options = Options("e");
  options.placements.clear();
  EnsembleSpec spec{
      .name = "e",
      .steps = {{.model = "a", .inputs = {{"X", "X"}}, .outputs = {{"Y", "t"}}},
                {.model = "b", .inputs = {{"X", "X"}}, .outputs = {{"Y", "u"}}},
                {.model = "join", .inputs = {{"X", "t"}, {"W", "u"}}, .outputs = {{"Y", "Y"}}}}};
  const ModelSignature one = Options("").signature;
  options.ensemble = std::make_shared<Ensemble>(
      MakeEnsemblePlan(spec, options.signature, {{&one}, {&one}, {&join.signature}}).value(),
      registry_, pool_);
  EXPECT_TRUE(Ask(Add(std::move(options)))->answer.Wait().ok());
}

TEST_F(EnsembleTest, OneModelMayBeSeveralSteps_AndEnsemblesToo) {
  const auto a = Add(Options("a"));
  AddEnsemble("inner", {{"a", "X", "t"}, {"a", "t", "Y"}});
  const auto outer = AddEnsemble("outer", {{"inner", "X", "t"}, {"a", "t", "Y"}});
  EXPECT_TRUE(Ask(outer)->answer.Wait().ok());
  EXPECT_EQ(a->statistics().Read().success.count, 3u);
}

TEST_F(EnsembleTest, UsesTheVersionThatAStepNames) {
  const auto old = Add(Options("a", 1));
  const auto newest = Add(Options("a", 2));
  const auto pinned = AddEnsemble("pinned", {{"a", "X", "Y", 1}});
  const auto latest = AddEnsemble("latest", {{"a", "X", "Y"}});
  EXPECT_TRUE(Ask(pinned)->answer.Wait().ok());
  EXPECT_EQ(old->statistics().Read().success.count, 1u);
  EXPECT_TRUE(Ask(latest)->answer.Wait().ok());
  EXPECT_EQ(newest->statistics().Read().success.count, 1u);
}

TEST_F(EnsembleTest, ConvertsABatchDimensionOfOne) {
  ModelOptions flat = Options("flat");
  flat.signature.batch_size_max = 0;
  flat.batching = {};
  Add(flat);
  Add(Options("batched"));
  const auto mixed = AddEnsemble("mixed", {{"flat", "X", "t"}, {"batched", "t", "Y"}}, 0, 0);
  const auto record = Ask(mixed, {5});
  EXPECT_TRUE(record->answer.Wait().ok());
  EXPECT_EQ(record->responses[0].outputs[0].tensor.shape, (Shape{5}));
  const auto other = AddEnsemble("other", {{"flat", "X", "t"}, {"batched", "t", "Y"}}, 0, 8);
  const auto batched = Ask(other, {1, 5});
  EXPECT_TRUE(batched->answer.Wait().ok());
  EXPECT_EQ(batched->responses[0].outputs[0].tensor.shape, (Shape{1, 5}));
  EXPECT_THAT(Ask(other, {2, 5})->answer.Wait().message(), HasSubstr("in ensemble 'other', "));
}

TEST_F(EnsembleTest, IsAsReadyAsItsSteps_AlsoWithinAnotherOne) {
  HealthListener tell;
  Add(Options("sick"), std::make_unique<WatchedModel>(tell));
  Add(Options("well"));
  const ModelHandle inner = AddEnsemble("inner", {{"well", "X", "t"}, {"sick", "t", "Y"}});
  const ModelHandle outer = AddEnsemble("outer", {{"inner", "X", "Y"}});
  EXPECT_TRUE(inner->Health().ok());
  EXPECT_TRUE(outer->Health().ok());
  for (const auto state : {InstanceHealth::State::kRecovering, InstanceHealth::State::kDown}) {
    tell({.state = state, .reason = "has died"});
    EXPECT_THAT(inner->Health().message(),
                HasSubstr("ensemble 'inner' cannot serve: model 'sick' version 1 cannot serve"));
    EXPECT_THAT(outer->Health().message(),
                HasSubstr("ensemble 'outer' cannot serve: ensemble 'inner'"));
  }
  tell({});
  EXPECT_TRUE(outer->Health().ok());
  registry_.SetVersion("well", 1,
                       {.state = ModelState::kUnavailable, .reason = "unloaded", .model = nullptr});
  EXPECT_THAT(outer->Health().message(), HasSubstr("'well' has no available versions"));
}

TEST_F(EnsembleTest, AStepsFailure_EndsTheRequest_WithItsName) {
  const auto a = Add(Options("a"), [](Batch batch) {
    for (auto& request : batch.requests) {
      request->Finish(Internal("broken"), FailureReason::kBackend);
    }
  });
  const auto b = Add(Options("b"));
  const auto e = AddEnsemble("e", {{"a", "X", "t"}, {"b", "t", "Y"}});
  const Status status = Ask(e)->answer.Wait();
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_EQ(status.message(), "in ensemble 'e', broken");
  const StatisticsSnapshot statistics = e->statistics().Read();
  EXPECT_EQ(statistics.failures_by_reason[static_cast<std::size_t>(FailureReason::kOther)], 1u);
  EXPECT_EQ(b->statistics().Read().received, 0u);
}

TEST_F(EnsembleTest, AStepWithoutItsOutput_EndsTheRequest) {
  Add(Options("a"), &testing::AnswerAll);
  Add(Options("b"));
  const auto e = AddEnsemble("e", {{"a", "X", "t"}, {"b", "t", "Y"}});
  const Status status =
      Ask(e, {1, 1}, [](InferRequest& request) { request.id = "7"; })->answer.Wait();
  EXPECT_EQ(status.message(),
            "in ensemble 'e', [request id: 7] unexpected deadlock, at least one output is not set "
            "while no more ensemble steps can be made");
}

TEST_F(EnsembleTest, PassesOnWhatTheRequestSays) {
  std::atomic<bool> right{false};
  Add(Options("a"), [&](Batch batch) {
    const InferRequest& request = *batch.requests[0];
    right = request.id == "r" && request.priority == 3 && request.timeout_us == 9 &&
            request.correlation_id == 5 && request.sequence_flags == 3 &&
            request.parameters.size() == 1 && request.wanted_outputs.size() == 1;
    Echo(std::move(batch));
  });
  const auto e = AddEnsemble("e", {{"a", "X", "Y"}});
  EXPECT_TRUE(Ask(e, {1, 1},
                  [](InferRequest& request) {
                    request.id = "r";
                    request.priority = 3;
                    request.timeout_us = 9;
                    request.correlation_id = 5;
                    request.sequence_flags = 3;
                    request.parameters.push_back({"k", true});
                  })
                  ->answer.Wait()
                  .ok());
  EXPECT_TRUE(right);
}

TEST_F(EnsembleTest, ACancelledRequest_IsDroppedFromTheStepsQueue) {
  Latch busy, go;
  std::atomic<int> executed{0};
  Add(Options("a"), [&](Batch batch) {
    executed += static_cast<int>(batch.requests.size());
    busy.Open();
    go.Wait();
    Echo(std::move(batch));
  });
  const auto e = AddEnsemble("e", {{"a", "X", "Y"}});
  const auto first = Ask(e);
  busy.Wait();
  const auto second = Ask(e);
  second->answer.Cancel();
  go.Open();
  EXPECT_TRUE(first->answer.Wait().ok());
  EXPECT_EQ(second->answer.Wait().code(), StatusCode::kCancelled);
  EXPECT_EQ(executed, 1);
}

TEST_F(EnsembleTest, SumsTheComputeTimesOfItsSteps) {
  Add(Options("a"), [](Batch batch) {
    for (auto& request : batch.requests) {
      request->observer->OnExecution(
          {.exec_start = 100, .compute_start = 110, .compute_end = 130, .exec_end = 170});
    }
    Echo(std::move(batch));
  });
  const auto e = AddEnsemble("e", {{"a", "X", "t"}, {"a", "t", "Y"}});
  EXPECT_TRUE(Ask(e, {2, 1})->answer.Wait().ok());
  ASSERT_TRUE(started_[0]->Drain(10 * kSecond));  // its requests have gone then
  const StatisticsSnapshot statistics = e->statistics().Read();
  EXPECT_EQ(statistics.inference_count, 2u);
  EXPECT_EQ(statistics.execution_count, 1u);
  EXPECT_EQ(statistics.queue.ns, 0u);
  EXPECT_EQ(statistics.queue.count, 1u);
  EXPECT_EQ(statistics.compute_input.ns, 20u);
  EXPECT_EQ(statistics.compute_infer.ns, 40u);
  EXPECT_EQ(statistics.compute_output.ns, 80u);
}

TEST_F(EnsembleTest, AModelThatIsDrained_ServesTheRequestsThatHoldIt) {
  Latch busy, go;
  Add(Options("a"), [&](Batch batch) {
    busy.Open();
    go.Wait();
    Echo(std::move(batch));
  });
  const auto b = Add(Options("b"));
  AddEnsemble("inner", {{"b", "X", "Y"}});
  const auto e = AddEnsemble("e", {{"a", "X", "t"}, {"inner", "t", "Y"}});
  const auto record = Ask(e);
  busy.Wait();
  registry_.SetVersion("b", 1, {.state = ModelState::kUnloading, .reason = "", .model = nullptr});
  std::thread drain([&] { EXPECT_TRUE(b->Drain(10 * kSecond)); });
  while (b->Pin()) {  // until the drain has closed it
    b->Unpin();
    std::this_thread::yield();
  }
  go.Open();
  EXPECT_TRUE(record->answer.Wait().ok()) << record->answer.Wait().message();
  drain.join();
  EXPECT_EQ(Ask(e)->answer.Wait().code(), StatusCode::kUnavailable);
}

TEST_F(EnsembleTest, ReloadsUnderLoad_LoseNothing) {
  Add(Options("a"));
  const auto e = AddEnsemble("e", {{"a", "X", "t"}, {"a", "t", "Y"}});
  std::atomic<bool> stop{false};
  std::thread reloads([&] {
    while (!stop) {
      const ModelHandle old = registry_.Load()->Lookup("a", 1).value();
      Add(Options("a"));
      // The registry's readers may still be about to pin it.
      while (old.use_count() > 2) {
        std::this_thread::yield();
      }
      EXPECT_TRUE(old->Drain(10 * kSecond));
    }
  });
  for (int i = 0; i < 300; ++i) {
    const auto record = Ask(e);
    EXPECT_TRUE(record->answer.Wait().ok()) << record->answer.Wait().message();
  }
  stop = true;
  reloads.join();
}

// Answers with `count` copies of its input.
std::function<void(Batch)> Repeat(int count) {
  return [count](Batch batch) {
    for (auto& request : batch.requests) {
      for (int i = 0; i < count; ++i) {
        Tensor tensor = request->inputs[0].tensor;
        request->Send({.outputs = {{"Y", std::move(tensor)}}, .parameters = {}});
      }
      request->Finish(OkStatus());
    }
  };
}

TEST_F(EnsembleTest, EachResponseOfADecoupledStep_BecomesOneOfTheEnsemble) {
  for (const int count : {0, 1, 5}) {
    ModelOptions repeat = Options("repeat" + std::to_string(count));
    repeat.decoupled = true;
    Add(repeat, Repeat(count));
    Add(Options("b"));
    const auto e =
        AddEnsemble("e" + std::to_string(count), {{repeat.name, "X", "t"}, {"b", "t", "Y"}});
    EXPECT_TRUE(e->options().decoupled);
    const auto record = Ask(e);
    EXPECT_TRUE(record->answer.Wait().ok()) << record->answer.Wait().message();
    EXPECT_EQ(record->answer.responses(), count);
    EXPECT_EQ(record->answer.ends(), 1);
  }
}

TEST_F(EnsembleTest, AnErrorOfADecoupledStep_EndsTheRequest) {
  ModelOptions repeat = Options("repeat");
  repeat.decoupled = true;
  Add(repeat, [](Batch batch) {
    for (auto& request : batch.requests) {
      request->Send({.outputs = {{"Y", request->inputs[0].tensor}}, .parameters = {}});
      request->Send({.outputs = {}, .parameters = {}, .error = InvalidArgument("no such element")});
      request->Send({.outputs = {{"Y", request->inputs[0].tensor}}, .parameters = {}});
      request->Finish(OkStatus());
    }
  });
  Add(Options("b"));
  const auto e = AddEnsemble("e", {{"repeat", "X", "t"}, {"b", "t", "Y"}});
  const auto record = Ask(e);
  EXPECT_EQ(record->answer.Wait().message(), "in ensemble 'e', no such element");
  EXPECT_LE(record->answer.responses(), 1);
  EXPECT_EQ(record->answer.ends(), 1);
}

TEST_F(EnsembleTest, MaxInflight_HoldsADecoupledStepBack) {
  std::atomic<int> waiting{0}, most{0};
  ModelOptions repeat = Options("repeat");
  repeat.decoupled = true;
  Add(repeat, Repeat(50));
  std::shared_ptr<Model> slow;
  slow = Add(Options("slow"), [&](Batch batch) {
    waiting = static_cast<int>(slow->in_flight());
    most = std::max<int>(most, waiting);
    Echo(std::move(batch));
  });
  const auto e = AddEnsemble("e", {{"repeat", "X", "t"}, {"slow", "t", "Y"}}, 3);
  const auto record = Ask(e);
  EXPECT_TRUE(record->answer.Wait().ok());
  EXPECT_EQ(record->answer.responses(), 50);
  EXPECT_LE(most, 3);
  slow.reset();
}

TEST_F(EnsembleTest, MaxInflight_EndsWithTheClient) {
  Latch busy, go, produced;
  ModelOptions repeat = Options("repeat");
  repeat.decoupled = true;
  Add(repeat, [&](Batch batch) {
    Repeat(50)(std::move(batch));
    produced.Open();
  });
  Add(Options("slow"), [&](Batch batch) {
    busy.Open();
    go.Wait();
    Echo(std::move(batch));
  });
  const auto e = AddEnsemble("e", {{"repeat", "X", "t"}, {"slow", "t", "Y"}}, 1);
  const auto record = Ask(e);
  busy.Wait();
  record->answer.Cancel();
  produced.Wait();
  go.Open();
  EXPECT_EQ(record->answer.Wait().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace headrace::engine
