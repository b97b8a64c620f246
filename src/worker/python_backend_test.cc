// Models in workers that keep the rules of the protocol, and in workers that break them.
#include "worker/python_backend.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "worker/testing/backend_fixture.h"

namespace headrace::worker {
namespace {

using testing::Outcome;

class PythonBackendTest : public testing::BackendFixture {};

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
class RogueWorkerTest : public PythonBackendTest,
                        public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(::testing::TempDir()) /
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
                         ::testing::Values("foreign_key", "twice", "outside", "cancel_bytes",
                                           "wrong_size", "garbage", "empty", "body_outside",
                                           "out_of_turn", "bad_release", "side_garbage",
                                           "foreign_response"),
                         [](const auto& mode) { return std::string(mode.param); });

// The worker is started by itself.
class RogueTemplateTest : public RogueWorkerTest {
 protected:
  void SetUp() override {
    RogueWorkerTest::SetUp();
    parameters_ = R"("fork_workers":{"string_value":"true"})";
  }
};

TEST_P(RogueTemplateTest, IsNotNeeded) {
  ASSERT_TRUE(Load(GetParam()).ok());
  ExpectEcho();
}

INSTANTIATE_TEST_SUITE_P(Modes, RogueTemplateTest,
                         ::testing::Values("template_refuses", "template_dies",
                                           "template_is_its_own_copy", "template_fails",
                                           "template_names_a_stranger",
                                           "template_answers_out_of_turn"),
                         [](const auto& mode) { return std::string(mode.param); });

TEST_F(PythonBackendTest, WhetherWorkersAreForkedIsTrueOrFalse) {
  parameters_ = R"("fork_workers":{"string_value":"perhaps"})";
  const Status status = Load("echo");
  EXPECT_EQ(status.message(),
            "the parameter 'fork_workers' is 'perhaps'; it must be true or false");
}

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
