// Models in workers that keep the rules of the protocol, and in workers that break them.
#include "worker/python_backend.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "engine/testing/fake_backend.h"
#include "tensor/heap_buffer.h"

namespace headrace::worker {
namespace {

struct Outcome {
  Status status;
  std::vector<std::string> outputs;  // bytes of the last response
};

class PromiseSink final : public engine::ResponseSink {
 public:
  explicit PromiseSink(std::promise<Outcome> promise) : promise_(std::move(promise)) {}
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
  bool Cancelled() const override { return false; }

 private:
  std::promise<Outcome> promise_;
  Outcome outcome_;
};

class PythonBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) /
                 ("worker_" + std::to_string(getpid()) + "_" +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override {
    model_.reset();
    std::filesystem::remove_all(directory_);
  }

  Status Load(const std::string& mode, std::map<std::string, std::string> settings = {}) {
    settings.try_emplace("data-byte-size", "4194304");
    auto backend = PythonBackend::Create(
        {.runtime_directory = HEADRACE_TEST_ROGUE_WORKER, .settings = std::move(settings)});
    HEADRACE_RETURN_IF_ERROR(backend.status());
    backend_ = *std::move(backend);
    engine::LoadSpec spec;
    spec.model_name = mode;
    spec.backend = "python";
    spec.model_directory = directory_.string();
    spec.config_json = R"({"name":"m","input":[{"name":"INPUT0"}],"output":[{"name":"OUTPUT0"}]})";
    HEADRACE_ASSIGN_OR_RETURN(auto loaded, backend_->Load(std::move(spec)));
    engine::ModelOptions options;
    options.name = mode;
    options.signature.inputs = {{.name = "INPUT0", .dtype = DataType::kInt32, .dims = Shape{-1}}};
    options.signature.outputs = {{.name = "OUTPUT0", .dtype = DataType::kInt32, .dims = Shape{-1}}};
    options.placements = {{.name = "m_0_0"}};
    HEADRACE_ASSIGN_OR_RETURN(
        model_, engine::Model::Start(std::move(options), std::move(loaded), Clock::Real()));
    return OkStatus();
  }

  std::future<Outcome> Submit(std::string bytes) {
    std::promise<Outcome> promise;
    auto future = promise.get_future();
    auto request = std::make_unique<engine::InferRequest>(
        model_, std::make_unique<PromiseSink>(std::move(promise)));
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

  std::filesystem::path directory_;
  std::shared_ptr<PythonBackend> backend_;
  std::shared_ptr<engine::Model> model_;
};

TEST_F(PythonBackendTest, RequestsAreAnswered) {
  ASSERT_TRUE(Load("echo").ok());
  std::vector<std::future<Outcome>> asked;
  for (int i = 0; i < 100; ++i) {
    asked.push_back(Submit("number " + std::to_string(100 + i) + ".."));
  }
  for (int i = 0; i < 100; ++i) {
    const Outcome outcome = asked[i].get();
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
    EXPECT_EQ(outcome.outputs.at(0), "number " + std::to_string(100 + i) + "..");
  }
  EXPECT_EQ(model_->statistics().Read().inference_count, 100U);
}

TEST_F(PythonBackendTest, RequestsWithoutBytesAreAnswered) {
  ASSERT_TRUE(Load("echo").ok());
  EXPECT_EQ(Ask("").outputs, std::vector<std::string>{""});
}

TEST_F(PythonBackendTest, ARequestThatIsTooLargeNamesTheOption) {
  ASSERT_TRUE(Load("echo").ok());
  const Outcome outcome = Ask(std::string(3 << 20, 'x'));
  EXPECT_EQ(outcome.status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(outcome.status.message().find("data-byte-size"), std::string::npos);
  ExpectEcho();
}

TEST_F(PythonBackendTest, ARequestThatFillsTheRegionIsAnswered) {
  ASSERT_TRUE(Load("echo").ok());
  EXPECT_EQ(Ask(std::string(2 << 20, 'x').substr(8192)).outputs.at(0).size(), (2U << 20) - 8192);
  ExpectEcho();
}

// The request gets an error, and the next worker serves.
class RogueWorkerTest : public PythonBackendTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) /
                 ("worker_" + std::to_string(getpid()) + "_" + GetParam());
    std::filesystem::create_directories(directory_);
  }
};

TEST_P(RogueWorkerTest, IsReplaced) {
  ASSERT_TRUE(Load(GetParam()).ok());
  auto first = Submit("first...");
  const Outcome outcome = first.get();
  EXPECT_EQ(outcome.status.code(), StatusCode::kInternal) << outcome.status.ToString();
  EXPECT_NE(outcome.status.message().find("broke the protocol"), std::string::npos);
  ExpectEcho();
}

INSTANTIATE_TEST_SUITE_P(Modes, RogueWorkerTest,
                         testing::Values("foreign_key", "twice", "outside", "cancel_bytes",
                                         "wrong_size", "garbage", "empty", "body_outside",
                                         "out_of_turn", "bad_release", "side_garbage",
                                         "foreign_response"),
                         [](const auto& mode) { return std::string(mode.param); });

// The first answer stands; what follows it ends the worker, and is nobody's answer.
TEST_F(PythonBackendTest, ASecondAnswerIsNobodys) {
  ASSERT_TRUE(Load("two_answers").ok());
  ExpectEcho();
  const Outcome second = Ask("87654321");
  EXPECT_EQ(second.status.code(), StatusCode::kInternal) << second.status.ToString();
  ExpectEcho();
}

TEST_F(PythonBackendTest, ADeathAnswersOnlyWhatItWasRunning) {
  ASSERT_TRUE(Load("exit").ok());
  std::vector<std::future<Outcome>> asked;
  for (int i = 0; i < 20; ++i) {
    asked.push_back(Submit("12345678"));
  }
  const Outcome first = asked.front().get();
  EXPECT_EQ(first.status.code(), StatusCode::kUnavailable);
  EXPECT_NE(first.status.message().find("exit status 3"), std::string::npos)
      << first.status.message();
  EXPECT_NE(first.status.message().find("m_0_0"), std::string::npos);
  for (std::size_t i = 1; i < asked.size(); ++i) {
    EXPECT_TRUE(asked[i].get().status.ok()) << i;
  }
}

TEST_F(PythonBackendTest, AWorkerThatClosesItsChannelIsReplaced) {
  ASSERT_TRUE(Load("closes").ok());
  EXPECT_EQ(Ask().status.code(), StatusCode::kUnavailable);
  ExpectEcho();
}

TEST_F(PythonBackendTest, AWorkerThatHangsIsKilledAtItsTimeLimit) {
  ASSERT_TRUE(Load("hang", {{"response-timeout-seconds", "1"}}).ok());
  const Outcome outcome = Ask();
  EXPECT_EQ(outcome.status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_NE(outcome.status.message().find("response-timeout-seconds"), std::string::npos);
  ExpectEcho();
}

TEST_F(PythonBackendTest, ALateResponseIsTheAnswer) {
  ASSERT_TRUE(Load("late").ok());
  EXPECT_TRUE(Ask().status.ok());
  ExpectEcho();
}

TEST_F(PythonBackendTest, ADroppedRequestHasAnError) {
  ASSERT_TRUE(Load("drops").ok());
  const Outcome outcome = Ask();
  EXPECT_NE(outcome.status.message().find("without a final response"), std::string::npos);
  ExpectEcho();
}

TEST_F(PythonBackendTest, ALateRequestOfAWorkerThatDiesHasAnError) {
  ASSERT_TRUE(Load("late_exit").ok());
  const Outcome outcome = Ask();
  EXPECT_EQ(outcome.status.code(), StatusCode::kUnavailable);
  EXPECT_NE(outcome.status.message().find("exit status 4"), std::string::npos);
  ExpectEcho();
}

TEST_F(PythonBackendTest, AModelWhoseWorkerDoesNotComeBackRefusesAtOnceUntilItDoes) {
  ASSERT_TRUE(Load("exit").ok());
  EXPECT_TRUE(model_->Health().ok());
  std::ofstream(directory_ / "broken") << "yes";
  EXPECT_EQ(Ask().status.code(), StatusCode::kUnavailable);
  // It waits in the queue until two starts have failed.
  const Outcome refused = Ask();
  EXPECT_EQ(refused.status.code(), StatusCode::kUnavailable);
  EXPECT_NE(refused.status.message().find("exit status 6"), std::string::npos)
      << refused.status.ToString();
  EXPECT_FALSE(model_->CanServe());
  EXPECT_NE(model_->Health().message().find("its instance 'm_0_0' is being started again"),
            std::string::npos)
      << model_->Health().ToString();
  std::filesystem::remove(directory_ / "broken");
  const Nanos deadline = Clock::Real().Now() + 20 * kSecond;
  while (!model_->Health().ok() && Clock::Real().Now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(model_->CanServe());
  ExpectEcho();
}

TEST_F(PythonBackendTest, AModelThatDoesNotLoadSaysWhy) {
  const Status status = Load("no_load");
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "it does not load");
}

TEST_F(PythonBackendTest, AWorkerThatDiesWhileItLoadsIsAFailedLoad) {
  const Status status = Load("dies_early");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("exit status 5"), std::string::npos) << status.message();
}

TEST_F(PythonBackendTest, TheRuntimeMustBeThere) {
  const auto backend = PythonBackend::Create({.runtime_directory = "/nowhere"});
  EXPECT_NE(backend.status().message().find("/nowhere/headrace_worker/main.py"), std::string::npos);
}

}  // namespace
}  // namespace headrace::worker
