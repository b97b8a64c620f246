#include "worker/open_requests.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

#include "engine/testing/fake_backend.h"

namespace headrace::worker {
namespace {

using engine::testing::Answer;
using engine::testing::FakeSink;

class OpenRequestsTest : public testing::Test {
 protected:
  std::unique_ptr<engine::InferRequest> Make(std::shared_ptr<Answer> answer) {
    return std::make_unique<engine::InferRequest>(nullptr, std::make_unique<FakeSink>(answer));
  }
  // Opens `count` requests as one batch.
  std::vector<OpenRequests::Opened> Open(std::size_t count) {
    std::vector<std::unique_ptr<engine::InferRequest>> requests;
    for (std::size_t i = 0; i < count; ++i) {
      requests.push_back(Make(answer_));
    }
    std::vector<OpenRequests::Opened> opened;
    open_.OpenBatch(requests, opened);
    return opened;
  }

  const std::shared_ptr<Answer> answer_ = std::make_shared<Answer>();
  const std::unique_ptr<DataRegion> region_ = DataRegion::Create(1 << 20).value();
  OpenRequests open_{*region_};
};

TEST_F(OpenRequestsTest, KeysAreNeverUsedTwice) {
  const auto first = Open(1);
  ASSERT_NE(open_.TakeExecuting(first[0].key), nullptr);
  const auto second = Open(1);
  EXPECT_EQ(second[0].cancel_slot, first[0].cancel_slot);
  EXPECT_NE(second[0].key, first[0].key);
  EXPECT_EQ(open_.TakeExecuting(first[0].key), nullptr);
  EXPECT_TRUE(open_.WasOpened(first[0].key));
  EXPECT_FALSE(open_.WasOpened(second[0].key + OpenRequests::kCountMax));
  EXPECT_FALSE(open_.WasOpened(0));
  EXPECT_FALSE(open_.WasOpened(UINT64_MAX));
}

TEST_F(OpenRequestsTest, OpenBatch_StopsAtItsLimit) {
  EXPECT_EQ(Open(OpenRequests::kCountMax - 1).size(), OpenRequests::kCountMax - 1);
  std::vector<std::unique_ptr<engine::InferRequest>> requests;
  requests.push_back(Make(answer_));
  requests.push_back(Make(answer_));
  std::vector<OpenRequests::Opened> opened;
  open_.OpenBatch(requests, opened);
  EXPECT_EQ(opened.size(), 1U);
  EXPECT_EQ(requests[0], nullptr);
  EXPECT_NE(requests[1], nullptr);
}

TEST_F(OpenRequestsTest, WhatIsLeftOfABatchIsLate) {
  const auto batch = Open(2);
  EXPECT_TRUE(open_.TakeLate().empty());
  ASSERT_NE(open_.TakeExecuting(batch[0].key), nullptr);
  open_.SettleBatch(batch);
  EXPECT_EQ(open_.TakeExecuting(batch[1].key), nullptr);
  EXPECT_EQ(open_.TakeLate().size(), 1U);
  EXPECT_EQ(open_.count(), 0U);
}

TEST_F(OpenRequestsTest, ARequestIsUsedByOneAtATime) {
  const auto batch = Open(1);
  const auto used = open_.Use(batch[0].key);
  ASSERT_TRUE(used.has_value());
  EXPECT_FALSE(used->answered);
  EXPECT_FALSE(open_.Use(batch[0].key).has_value());
  auto taken = std::async(std::launch::async, [&] { return open_.TakeBatch(batch).size(); });
  open_.Keep(batch[0].key);
  EXPECT_EQ(taken.get(), 1U);
}

TEST_F(OpenRequestsTest, Keep_RemembersThatThereWasAResponse) {
  const auto batch = Open(1);
  ASSERT_TRUE(open_.Use(batch[0].key).has_value());
  open_.Keep(batch[0].key);
  EXPECT_TRUE(open_.Use(batch[0].key)->answered);
  EXPECT_NE(open_.Remove(batch[0].key), nullptr);
  EXPECT_FALSE(open_.Use(batch[0].key).has_value());
}

TEST_F(OpenRequestsTest, CancellationsAreShown_AndGoWithTheRequest) {
  const auto batch = Open(1);
  const std::byte* const shown = region_->At(batch[0].cancel_slot);
  open_.ShowCancelled();
  EXPECT_EQ(*shown, std::byte{0});
  answer_->Cancel();
  open_.ShowCancelled();
  EXPECT_EQ(*shown, std::byte{1});
  ASSERT_NE(open_.TakeExecuting(batch[0].key), nullptr);
  EXPECT_EQ(*shown, std::byte{0});
}

}  // namespace
}  // namespace headrace::worker
