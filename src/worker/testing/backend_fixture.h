// A Python model whose workers are src/worker/testing/rogue, and requests for it.
#ifndef HEADRACE_WORKER_TESTING_BACKEND_FIXTURE_H_
#define HEADRACE_WORKER_TESTING_BACKEND_FIXTURE_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "tensor/heap_buffer.h"
#include "worker/python_backend.h"
#include "worker/testing/rogue_worker.h"

namespace headrace::worker::testing {

struct Outcome {
  Status status;
  std::vector<std::string> outputs;  // bytes of the last response
};

class PromiseSink final : public engine::ResponseSink {
 public:
  PromiseSink(std::promise<Outcome> promise, std::shared_ptr<std::atomic<bool>> cancelled)
      : promise_(std::move(promise)), cancelled_(std::move(cancelled)) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return NewHeapBuffer(byte_size);
  }
  void Send(engine::InferResponse response) override {
    outcome_.outputs.clear();
    for (const NamedTensor& output : response.outputs) {
      outcome_.outputs.emplace_back(output.tensor.data.view());
    }
  }
  void Finish(Status status) override {
    outcome_.status = std::move(status);
    promise_.set_value(std::move(outcome_));
  }
  bool Cancelled() const override { return cancelled_ != nullptr && *cancelled_; }

 private:
  std::promise<Outcome> promise_;
  const std::shared_ptr<std::atomic<bool>> cancelled_;
  Outcome outcome_;
};

class BackendFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(::testing::TempDir()) /
                 ("worker_" + std::to_string(getpid()) + "_" +
                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override {
    model_.reset();
    std::filesystem::remove_all(directory_);
  }

  // A model whose worker does what `mode` says. `options`: of the model, beside its tensors.
  Status Load(const std::string& mode, std::map<std::string, std::string> settings = {},
              engine::ModelOptions options = {}) {
    settings.try_emplace("data-byte-size", "4194304");
    auto backend = PythonBackend::Create(
        {.runtime_directory = RogueWorkerDirectory(), .settings = std::move(settings)});
    HEADRACE_RETURN_IF_ERROR(backend.status());
    backend_ = *std::move(backend);
    engine::LoadSpec spec;
    spec.model_name = mode;
    spec.backend = "python";
    spec.model_directory = directory_.string();
    spec.config_json =
        R"({"name":"m","input":[{"name":"INPUT0"}],"output":[{"name":"OUTPUT0"}],"parameters":{)" +
        parameters_ + "}}";
    HEADRACE_ASSIGN_OR_RETURN(auto loaded, backend_->Load(std::move(spec)));
    options.name = mode;
    options.signature.inputs = {{.name = "INPUT0", .dtype = DataType::kInt32, .dims = Shape{-1}}};
    options.signature.outputs = {{.name = "OUTPUT0", .dtype = DataType::kInt32, .dims = Shape{-1}}};
    if (options.placements.empty()) {
      options.placements = {{.name = "m_0_0"}};
    }
    HEADRACE_ASSIGN_OR_RETURN(
        model_, engine::Model::Start(std::move(options), std::move(loaded), Clock::Real()));
    return OkStatus();
  }

  std::future<Outcome> Submit(std::string bytes,
                              std::shared_ptr<std::atomic<bool>> cancelled = nullptr) {
    std::promise<Outcome> promise;
    auto future = promise.get_future();
    auto request = std::make_unique<engine::InferRequest>(
        model_, std::make_unique<PromiseSink>(std::move(promise), std::move(cancelled)));
    NamedTensor input{.name = "INPUT0", .tensor = {}};
    input.tensor.dtype = DataType::kInt32;
    input.tensor.shape = Shape{static_cast<std::int64_t>(bytes.size() / 4)};
    input.tensor.data = Buffer::FromString(std::move(bytes));
    request->inputs.push_back(std::move(input));
    model_->Submit(std::move(request));
    return future;
  }
  Outcome Ask(std::string bytes = "12345678") { return Submit(std::move(bytes)).get(); }

  void ExpectEcho() {
    const Outcome outcome = Ask("abcdefgh");
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.ToString();
    EXPECT_EQ(outcome.outputs, std::vector<std::string>{"abcdefgh"});
  }

  std::string parameters_;  // of the configuration, as JSON members
  std::filesystem::path directory_;
  std::shared_ptr<PythonBackend> backend_;
  std::shared_ptr<engine::Model> model_;
};

}  // namespace headrace::worker::testing

#endif  // HEADRACE_WORKER_TESTING_BACKEND_FIXTURE_H_
