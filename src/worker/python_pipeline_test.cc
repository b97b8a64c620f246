// Two batches with one worker: deaths at every stage, cancellation, order, room, the end.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "worker/testing/backend_fixture.h"

namespace headrace::worker {
namespace {

using testing::Outcome;

class PythonPipelineTest : public testing::BackendFixture {
 protected:
  // Nothing is given out before `count` requests wait: so the first has another behind it.
  Status LoadForRow(const std::string& mode, std::size_t count,
                    std::map<std::string, std::string> settings = {}) {
    settings.try_emplace("second-batch", "on");
    engine::ModelOptions options;
    options.queue_limits.hold_until_count = count;
    return Load(mode, std::move(settings), std::move(options));
  }
  std::vector<Outcome> AskInARow(int count) {
    std::vector<std::future<Outcome>> asked;
    for (int i = 0; i < count; ++i) {
      asked.push_back(Submit(TextOf(i)));
    }
    std::vector<Outcome> outcomes;
    for (auto& future : asked) {
      outcomes.push_back(future.get());
    }
    return outcomes;
  }
  static std::string TextOf(int i) { return "number " + std::to_string(100 + i) + ".."; }

  static void ExpectAnswered(const std::vector<Outcome>& outcomes, std::size_t from) {
    for (std::size_t i = from; i < outcomes.size(); ++i) {
      EXPECT_TRUE(outcomes[i].status.ok()) << i << ": " << outcomes[i].status.ToString();
      EXPECT_EQ(outcomes[i].outputs, std::vector<std::string>{TextOf(static_cast<int>(i))});
    }
  }
};

// The worker does not answer the first before it has the second.
TEST_F(PythonPipelineTest, ASecondBatchIsHandedOverWhileOneExecutes) {
  ASSERT_TRUE(LoadForRow("waits_for_another", 4).ok());
  ExpectAnswered(AskInARow(4), 0);
  EXPECT_EQ(model_->statistics().Read().execution_count, 4U);
}

TEST_F(PythonPipelineTest, WhatADeadWorkerHadNotBegunIsServedByTheNext) {
  ASSERT_TRUE(LoadForRow("waits_for_another_exits", 5).ok());
  const std::vector<Outcome> outcomes = AskInARow(5);
  EXPECT_EQ(outcomes[0].status.code(), StatusCode::kUnavailable);
  EXPECT_NE(outcomes[0].status.message().find("exit status 3"), std::string::npos)
      << outcomes[0].status.ToString();
  ExpectAnswered(outcomes, 1);
}

TEST_F(PythonPipelineTest, AWorkerThatDiesBeforeItLooksLosesNothing) {
  ASSERT_TRUE(LoadForRow("exits_with_two_unread", 5).ok());
  ExpectAnswered(AskInARow(5), 0);
}

TEST_F(PythonPipelineTest, AWorkerThatDiesBetweenTwoLosesNothing) {
  ASSERT_TRUE(LoadForRow("answers_exits_with_another", 5).ok());
  ExpectAnswered(AskInARow(5), 0);
}

TEST_F(PythonPipelineTest, AWorkerThatTakesNoMoreKeepsWhatItHasAnswered) {
  ASSERT_TRUE(LoadForRow("stops_receiving_with_another", 5).ok());
  ExpectAnswered(AskInARow(5), 0);
}

TEST_F(PythonPipelineTest, AnAnswerToTheOneBehindBreaksTheRules) {
  ASSERT_TRUE(LoadForRow("answers_the_one_behind", 5).ok());
  const std::vector<Outcome> outcomes = AskInARow(5);
  EXPECT_EQ(outcomes[0].status.code(), StatusCode::kInternal);
  EXPECT_NE(outcomes[0].status.message().find("broke the protocol"), std::string::npos);
  ExpectAnswered(outcomes, 1);
}

TEST_F(PythonPipelineTest, TheTimeLimitEndsWhatHangsAndNotTheOneBehind) {
  ASSERT_TRUE(LoadForRow("waits_for_another_hangs", 3, {{"response-timeout-seconds", "1"}}).ok());
  const std::vector<Outcome> outcomes = AskInARow(3);
  EXPECT_EQ(outcomes[0].status.code(), StatusCode::kDeadlineExceeded);
  ExpectAnswered(outcomes, 1);
}

// Two executions of 1.1 s: the second has its own 2 s.
TEST_F(PythonPipelineTest, TheTimeLimitCountsFromWhenTheExecutionBegins) {
  ASSERT_TRUE(LoadForRow("slow_twice", 2, {{"response-timeout-seconds", "2"}}).ok());
  ExpectAnswered(AskInARow(2), 0);
}

// The first execution lasts until the worker is told that the second's client has gone.
TEST_F(PythonPipelineTest, ACancellationReachesTheWorkerForTheOneBehindToo) {
  ASSERT_TRUE(LoadForRow("waits_for_a_cancellation", 2).ok());
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto first = Submit(TextOf(0));
  auto second = Submit(TextOf(1), cancelled);
  while (model_->queue_depth() > 0) {
    std::this_thread::yield();  // a request that is cancelled in the queue never leaves it
  }
  *cancelled = true;
  EXPECT_TRUE(first.get().status.ok());
  (void)second.get();  // it ends, whatever with
}

TEST_F(PythonPipelineTest, BatchesThatDoNotFitTogetherGoOneAfterTheOther) {
  ASSERT_TRUE(LoadForRow("echo", 3).ok());
  std::vector<std::future<Outcome>> asked;
  for (int i = 0; i < 3; ++i) {
    asked.push_back(Submit(std::string((3 << 20) / 2, static_cast<char>('a' + i))));
  }
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = asked[i].get();
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
    EXPECT_EQ(outcome.outputs.at(0), std::string((3 << 20) / 2, static_cast<char>('a' + i)));
  }
}

TEST_F(PythonPipelineTest, ADrainAnswersWhatIsOnItsWay) {
  ASSERT_TRUE(LoadForRow("waits_for_another", 20).ok());
  std::vector<std::future<Outcome>> asked;
  for (int i = 0; i < 20; ++i) {
    asked.push_back(Submit(TextOf(i)));
  }
  EXPECT_TRUE(model_->Drain(60 * kSecond));
  for (auto& future : asked) {
    EXPECT_TRUE(future.get().status.ok());
  }
}

// Of two instances the second takes what waits: nothing waits behind an execution. The worker that
// waits for another batch would get none.
TEST_F(PythonPipelineTest, WithTwoInstancesEachHasOneBatch) {
  engine::ModelOptions options;
  options.placements = {{.name = "m_0_0"}, {.name = "m_0_1"}};
  options.queue_limits.hold_until_count = 4;
  ASSERT_TRUE(Load("counts_what_waits", {{"second-batch", "on"}}, std::move(options)).ok());
  for (const Outcome& outcome : AskInARow(4)) {
    EXPECT_EQ(outcome.outputs, std::vector<std::string>{"none"}) << outcome.status.ToString();
  }
}

TEST_F(PythonPipelineTest, OffMeansOneAtATime) {
  ASSERT_TRUE(LoadForRow("counts_what_waits", 4, {{"second-batch", "off"}}).ok());
  for (const Outcome& outcome : AskInARow(4)) {
    EXPECT_EQ(outcome.outputs, std::vector<std::string>{"none"}) << outcome.status.ToString();
  }
}

}  // namespace
}  // namespace headrace::worker
