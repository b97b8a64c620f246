#include "engine/split_retry.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;

class SplitRetryTest : public ::testing::Test {
 protected:
  // A batch of requests named "0", "1", ...
  Batch MakeBatch(int count) {
    Batch batch;
    for (int i = 0; i < count; ++i) {
      answers_.push_back(std::make_shared<Answer>());
      batch.requests.push_back(
          std::make_unique<InferRequest>(nullptr, std::make_unique<FakeSink>(answers_.back())));
      batch.requests.back()->id = std::to_string(i);
    }
    return batch;
  }

  // Fails every execution that has a request of bad_ in it.
  void Execute(Batch batch) {
    executed_.emplace_back();
    bool bad = false;
    for (const auto& request : batch.requests) {
      executed_.back() += request->id;
      bad = bad || bad_.count(request->id) > 0;
    }
    for (auto& request : batch.requests) {
      if (bad && batch.failed != nullptr) {
        batch.failed->Add(std::move(request), error_);
      } else {
        request->Finish(bad ? error_ : OkStatus());
      }
    }
  }

  void Run(Batch batch) {
    retry_.Run(std::move(batch), [this](Batch part) { Execute(std::move(part)); });
  }

  // "." for each request that went well, "x" for the others.
  std::string Ends() {
    std::string ends;
    for (const auto& answer : answers_) {
      EXPECT_EQ(answer->ends(), 1);
      ends += answer->Wait().ok() ? '.' : 'x';
    }
    return ends;
  }

  ModelStatistics statistics_;
  SplitRetry retry_{/*credit_max=*/16, statistics_};
  std::vector<std::shared_ptr<Answer>> answers_;
  std::set<std::string> bad_;
  Status error_ = Internal("it does not compute");
  std::vector<std::string> executed_;
};

using Strings = std::vector<std::string>;

TEST_F(SplitRetryTest, ExecutesOnce_WhatGoesWell) {
  Run(MakeBatch(8));
  EXPECT_EQ(Ends(), "........");
  EXPECT_EQ(executed_, (Strings{"01234567"}));
  EXPECT_EQ(statistics_.Read().batch_retries, 0U);
}

TEST_F(SplitRetryTest, LetsOneBadRequestFailAlone) {
  bad_ = {"5"};
  Run(MakeBatch(8));
  EXPECT_EQ(Ends(), ".....x..");
  EXPECT_EQ(executed_, (Strings{"01234567", "0123", "4567", "45", "4", "5", "67"}));
  EXPECT_EQ(statistics_.Read().batch_retries, 6U);
  EXPECT_EQ(answers_[5]->Wait().message(), "it does not compute");
}

TEST_F(SplitRetryTest, FindsSeveralBadRequests) {
  bad_ = {"0", "3"};
  Run(MakeBatch(5));
  EXPECT_EQ(Ends(), "x..x.");
}

TEST_F(SplitRetryTest, DoesNotTryAgain_WhereOnlySomeFailed) {
  retry_.Run(MakeBatch(3), [this](Batch batch) {
    executed_.emplace_back("once");
    batch.failed->Add(std::move(batch.requests[1]), error_);
    batch.requests[0]->Finish(OkStatus());
    batch.requests[2]->Finish(OkStatus());
  });
  EXPECT_EQ(Ends(), ".x.");
  EXPECT_EQ(executed_.size(), 1U);
}

TEST_F(SplitRetryTest, DoesNotTryAgain_WhatTheServerIsTooShortFor) {
  for (const Status& error : {Unavailable("x"), ResourceExhausted("x"), Cancelled("x")}) {
    error_ = error;
    bad_ = {"0"};
    executed_.clear();
    Run(MakeBatch(2));
    EXPECT_EQ(executed_, (Strings{"01"})) << error.ToString();
  }
  EXPECT_EQ(Ends(), "xxxxxx");
}

TEST_F(SplitRetryTest, LeavesOutWhoseClientHasGone) {
  bad_ = {"0"};
  Batch batch = MakeBatch(4);
  answers_[1]->Cancel();
  batch.requests[2]->deadline = 1;
  Run(std::move(batch));
  EXPECT_EQ(Ends(), "xxx.");
  EXPECT_EQ(executed_, (Strings{"0123", "0", "3"}));
  EXPECT_EQ(answers_[1]->Wait().code(), StatusCode::kCancelled);
}

TEST_F(SplitRetryTest, StopsWhenItsCreditIsSpent_AndEarnsItBack) {
  for (int i = 0; i < 8; ++i) {
    bad_.insert(std::to_string(i));
  }
  Run(MakeBatch(8));
  EXPECT_EQ(executed_.size(), 15U);  // 8 of them one by one
  EXPECT_EQ(retry_.credit(), 2U);
  executed_.clear();
  Run(MakeBatch(8));
  EXPECT_EQ(executed_, (Strings{"01234567", "0123", "4567"}));
  EXPECT_EQ(Ends(), "xxxxxxxxxxxxxxxx");
  bad_.clear();
  Run(MakeBatch(5));
  EXPECT_EQ(retry_.credit(), 5U);
}

TEST_F(SplitRetryTest, IsOff_WithoutCredit) {
  SplitRetry off(0, statistics_);
  bad_ = {"0"};
  off.Run(MakeBatch(2), [this](Batch batch) {
    EXPECT_EQ(batch.failed, nullptr);
    Execute(std::move(batch));
  });
  EXPECT_EQ(Ends(), "xx");
  EXPECT_EQ(executed_.size(), 1U);
}

TEST_F(SplitRetryTest, LeavesASingleRequestAlone) {
  bad_ = {"0"};
  Run(MakeBatch(1));
  EXPECT_EQ(executed_, (Strings{"0"}));
  EXPECT_EQ(Ends(), "x");
}

}  // namespace
}  // namespace headrace::engine
