// Clients that take turns in the queue (QueueLimits::fair_to_clients).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/queue_core.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;
using PushResult = QueueCore::PushResult;

constexpr Nanos kDelay = 100;

class QueueTurnsTest : public ::testing::Test {
 protected:
  struct Spec {
    std::uint64_t client = 0;
    std::uint64_t shape = 0;
    std::uint64_t priority = 0;
    std::size_t byte_size = 0;
  };

  void Make(std::int64_t batch_size_max, Nanos delay = 0, QueueLimits limits = {},
            QueuePolicies policies = {}) {
    limits.fair_to_clients = true;
    core_.emplace(BatchPolicyOptions{.dynamic = batch_size_max > 0,
                                     .batch_size_max = std::max<std::int64_t>(1, batch_size_max),
                                     .preferred_sizes = {},
                                     .queue_delay_max = delay},
                  limits, std::move(policies));
  }

  PushResult Push(const std::string& id, Spec spec, Nanos now = 1) {
    auto request = Request(id, spec);
    return core_->Push(request, now);
  }
  void PushMany(const std::string& prefix, int count, Spec spec) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(Push(prefix + std::to_string(i), spec), PushResult::kAccepted);
    }
  }
  std::unique_ptr<InferRequest> Request(const std::string& id, Spec spec) {
    answers_[id] = std::make_shared<Answer>();
    auto request =
        std::make_unique<InferRequest>(nullptr, std::make_unique<FakeSink>(answers_[id]));
    request->id = id;
    request->client = spec.client;
    request->shape_key = spec.shape;
    request->priority = spec.priority;
    request->byte_size = spec.byte_size;
    return request;
  }

  // "a,b" for a batch of a and b.
  std::string Pop(Nanos now = 1) {
    QueueCore::Popped popped;
    core_->TryPop(now, popped);
    std::string text;
    for (const auto& request : Take(popped.batch)) {
      text += (text.empty() ? "" : ",") + request->id;
    }
    return text;
  }
  // The batches of so many pops behind each other.
  std::string Pops(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += Pop();
    }
    return text;
  }
  std::string Displaced() {
    const std::unique_ptr<InferRequest> displaced = core_->TakeDisplaced();
    return displaced == nullptr ? "" : displaced->id;
  }

  std::optional<QueueCore> core_;
  std::map<std::string, std::shared_ptr<Answer>> answers_;
};

TEST_F(QueueTurnsTest, ServesOneClientInOrder) {
  Make(2);
  PushMany("a", 4, {.client = 1});
  EXPECT_EQ(Pop(), "a0,a1");
  EXPECT_EQ(Pop(), "a2,a3");
}

TEST_F(QueueTurnsTest, LetsAnotherClientInAfterOneQuantum) {
  Make(2);
  PushMany("a", 6, {.client = 1});
  Push("b0", {.client = 2});
  Push("b1", {.client = 2});
  Push("b2", {.client = 2});
  EXPECT_EQ(Pop(), "a0,a1");
  EXPECT_EQ(Pop(), "b0,b1");
  EXPECT_EQ(Pop(), "a2,a3");
  EXPECT_EQ(Pop(), "b2,a4");
  EXPECT_EQ(Pop(), "a5");
  EXPECT_EQ(Pop(), "");
}

TEST_F(QueueTurnsTest, TakesTurns_WithoutDynamicBatching) {
  Make(0);
  PushMany("a", 3, {.client = 1});
  PushMany("b", 2, {.client = 2});
  EXPECT_EQ(Pops(5), "a0b0a1b1a2");
}

TEST_F(QueueTurnsTest, BeginsAnew_WhenTheQueueWasEmpty) {
  Make(0);
  PushMany("a", 2, {.client = 1});
  PushMany("b", 2, {.client = 2});
  EXPECT_EQ(Pops(4), "a0b0a1b1");
  PushMany("c", 2, {.client = 1});
  EXPECT_EQ(Pops(2), "c0c1");
}

TEST_F(QueueTurnsTest, DoesNotStarveWhoHasMuch_ByAClientThatComesBackAtOnce) {
  Make(0);
  PushMany("a", 4, {.client = 1});
  Push("b0", {.client = 2});
  std::string order;
  for (int i = 1; i <= 6; ++i) {
    const std::string next = Pop();
    order += next;
    if (next[0] == 'b') {
      Push("b" + std::to_string(i), {.client = 2});
    }
  }
  EXPECT_EQ(order, "a0b0a1b2a2b4");
}

TEST_F(QueueTurnsTest, KeepsShapesApart_AndWaitsForCompany) {
  Make(2, kDelay);
  PushMany("a", 2, {.client = 1, .shape = 7});
  Push("a2", {.client = 1, .shape = 7});
  Push("b0", {.client = 2, .shape = 8});
  EXPECT_EQ(Pop(), "a0,a1");
  EXPECT_EQ(Pop(), "");  // neither shape is full
  EXPECT_EQ(Pop(1 + kDelay), "b0");
  EXPECT_EQ(Pop(1 + kDelay), "a2");
}

TEST_F(QueueTurnsTest, TakesTurnsWithinALevel_AndServesTheHigherLevelFirst) {
  Make(1, 0, {}, {.level_count = 2, .default_level = 2, .passed_over_batches_max = 0});
  PushMany("a", 2, {.client = 1, .priority = 2});
  PushMany("b", 1, {.client = 2, .priority = 2});
  PushMany("h", 2, {.client = 1, .priority = 1});
  PushMany("i", 1, {.client = 3, .priority = 1});
  EXPECT_EQ(Pops(6), "h0i0h1a0b0a1");
}

TEST_F(QueueTurnsTest, PushesOutTheLastOfWhoHasMost_WhenFull) {
  Make(0, 0, {.request_count_max = 3});
  PushMany("a", 3, {.client = 1});
  EXPECT_EQ(Push("a3", {.client = 1}), PushResult::kTooManyRequests);
  EXPECT_EQ(Push("b0", {.client = 2}), PushResult::kAccepted);
  EXPECT_EQ(Displaced(), "a2");
  // Now nobody has more than a turn above the other.
  EXPECT_EQ(Push("b1", {.client = 2}), PushResult::kTooManyRequests);
  EXPECT_EQ(Push("c0", {.client = 3}), PushResult::kAccepted);
  EXPECT_EQ(Displaced(), "a1");
  EXPECT_EQ(core_->depth(), 3U);
  EXPECT_EQ(Pops(3), "a0b0c0");
}

TEST_F(QueueTurnsTest, PushesOutNothing_WhereThatDoesNotMakeTheRoom) {
  Make(0, 0, {.byte_size_max = 10});
  PushMany("a", 5, {.client = 1, .byte_size = 2});
  EXPECT_EQ(Push("b0", {.client = 2, .byte_size = 3}), PushResult::kTooManyBytes);
  EXPECT_EQ(Displaced(), "");
  EXPECT_EQ(Push("b1", {.client = 2, .byte_size = 2}), PushResult::kAccepted);
  EXPECT_EQ(Displaced(), "a4");
  EXPECT_EQ(core_->byte_size(), 10U);
}

TEST_F(QueueTurnsTest, LeavesOtherLevelsAlone_WhenALevelIsFull) {
  QueuePolicies policies{.level_count = 2, .default_level = 2, .passed_over_batches_max = 0};
  policies.of_level[1].request_count_max = 1;
  Make(1, 0, {}, policies);
  PushMany("a", 4, {.client = 1, .priority = 2});
  PushMany("h", 1, {.client = 1, .priority = 1});
  EXPECT_EQ(Push("i0", {.client = 2, .priority = 1}), PushResult::kTooManyRequests);
  EXPECT_EQ(Displaced(), "");
}

TEST_F(QueueTurnsTest, DropsWhoHasGone_FromTheTurns) {
  Make(0);
  PushMany("a", 3, {.client = 1});
  PushMany("b", 2, {.client = 2});
  answers_["b0"]->Cancel();
  answers_["a1"]->Cancel();
  std::string order;
  while (!core_->empty()) {
    order += Pop();
  }
  EXPECT_EQ(order, "a0b1a2");
}

TEST_F(QueueTurnsTest, ServesOneClientOnly_WhenTurnsAreOff) {
  core_.emplace(BatchPolicyOptions{.dynamic = false}, QueueLimits());
  PushMany("a", 3, {.client = 1});
  PushMany("b", 1, {.client = 2});
  EXPECT_EQ(Pops(4), "a0a1a2b0");
}

// Whatever comes: each request leaves the queue once, those of one client and shape in order, and
// the sums agree.
TEST_F(QueueTurnsTest, LosesNothing_AndKeepsEachClientsOrder_WithRandomClients) {
  std::mt19937_64 random(161);
  const auto below = [&random](std::uint64_t n) { return random() % n; };
  for (int round = 0; round < 200; ++round) {
    QueuePolicies policies;
    if (below(2) == 0) {
      policies = {.level_count = 2, .default_level = 2, .passed_over_batches_max = 3};
    }
    Make(static_cast<std::int64_t>(below(5)), static_cast<Nanos>(below(2)) * kDelay,
         {.request_count_max = 5 + below(40), .byte_size_max = 200 + below(2000)}, policies);
    const std::uint64_t clients = 1 + below(5);
    std::map<std::string, std::vector<int>> waiting;  // by client, shape and level, in order
    std::size_t inside = 0, bytes = 0;
    std::map<std::string, std::size_t> byte_sizes;
    const auto leaves = [&](const InferRequest& request) {
      const std::string line = request.id.substr(0, request.id.rfind('.'));
      std::vector<int>& numbers = waiting[line];
      const auto found =
          std::find(numbers.begin(), numbers.end(), std::stoi(request.id.substr(line.size() + 1)));
      ASSERT_NE(found, numbers.end()) << request.id;
      numbers.erase(found);
      --inside;
      bytes -= byte_sizes[request.id];
    };
    Nanos now = 1;
    for (int i = 0; i < 300; ++i) {
      now += static_cast<Nanos>(below(20));
      if (below(3) > 0) {
        const Spec spec{.client = below(clients),
                        .shape = below(3),
                        .priority = 1 + below(2),
                        .byte_size = below(100)};
        const std::string id =
            fmt::format("{}.{}.{}.{}", spec.client, spec.shape, spec.priority, i);
        auto request = Request(id, spec);
        const bool accepted = core_->Push(request, now) == PushResult::kAccepted;
        if (accepted) {
          waiting[id.substr(0, id.rfind('.'))].push_back(i);
          byte_sizes[id] = spec.byte_size;
          ++inside;
          bytes += spec.byte_size;
        }
        if (const auto displaced = core_->TakeDisplaced()) {
          ASSERT_TRUE(accepted);
          leaves(*displaced);
          displaced->Finish(OkStatus());
        }
        if (below(10) == 0) {
          answers_[id]->Cancel();
        }
      } else {
        QueueCore::Popped popped;
        core_->TryPop(now, popped);
        for (const auto& request : Take(popped.dropped)) {
          EXPECT_TRUE(request->Cancelled());
          leaves(*request);
          request->Finish(OkStatus());
        }
        for (const auto& request : Take(popped.batch)) {
          // A cancelled one before it may still be waiting for its turn to be dropped.
          leaves(*request);
          request->Finish(OkStatus());
          for (const int number : waiting[request->id.substr(0, request->id.rfind('.'))]) {
            const std::string line = request->id.substr(0, request->id.rfind('.'));
            EXPECT_TRUE(number > std::stoi(request->id.substr(line.size() + 1)) ||
                        answers_[fmt::format("{}.{}", line, number)]->cancelled());
          }
        }
      }
      ASSERT_EQ(core_->depth(), inside);
      ASSERT_EQ(core_->byte_size(), bytes);
    }
    core_->Close();
    while (!core_->empty()) {
      QueueCore::Popped popped;
      core_->TryPop(now, popped);
      ASSERT_FALSE(popped.batch.empty() && popped.dropped.empty());
    }
    core_.reset();
    answers_.clear();
  }
}

}  // namespace
}  // namespace headrace::engine
