#include "engine/sequence_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using ::testing::ElementsAre;
using testing::FakeSink;
using ::testing::HasSubstr;

constexpr Nanos kIdle = 1000;

struct Spec {
  std::uint32_t flags = 0;  // 1 = start, 2 = end
  std::uint64_t shape = 0;
  std::uint64_t timeout_us = 0;
};

class SequenceCoreTest : public ::testing::Test {
 protected:
  ~SequenceCoreTest() override { ReleaseAll(0); }

  static SequenceOptions Direct(std::size_t slots) {
    return {
        .slot_count = slots, .batch_size_max = static_cast<std::int64_t>(slots), .idle_max = kIdle};
  }
  static SequenceOptions Oldest(std::size_t candidates, std::int64_t batch_size_max) {
    return {.direct = false,
            .slot_count = candidates,
            .batch_size_max = batch_size_max,
            .idle_max = kIdle};
  }
  void Make(SequenceOptions options, int seats = 1, QueueLimits limits = {}) {
    core_.emplace(std::move(options), limits, "m");
    for (int i = 0; i < seats; ++i) {
      core_->AddSeat();
    }
  }

  // Pushes a request of sequence `id` that is called `name`; "" or why it was refused.
  std::string Push(const std::string& name, std::uint64_t id, Nanos now, Spec spec) {
    answers_[name] = std::make_shared<Answer>();
    auto request =
        std::make_unique<InferRequest>(nullptr, std::make_unique<FakeSink>(answers_[name]));
    request->id = name;
    request->correlation_id = id;
    request->sequence_flags = spec.flags;
    request->shape_key = spec.shape;
    request->timeout_us = spec.timeout_us;
    request->byte_size = 10;
    const auto pushed = core_->Push(request, now);
    if (request != nullptr) {
      request->Finish(pushed.status, pushed.reason);
    }
    return pushed.status.message();
  }
  std::string Push(const std::string& name, std::uint64_t id, Nanos now) {
    return Push(name, id, now, Spec());
  }

  // "a,-,b" for a batch with an empty slot between; then "!c" for what was dropped, "@T" for a
  // wait.
  std::string Pop(Nanos now, std::size_t seat = 0) {
    SequenceCore::Popped popped;
    core_->TryPop(seat, now, popped);
    std::string text;
    for (std::size_t i = 0; i < popped.batch.size(); ++i) {
      auto& request = popped.batch[i];
      text += (text.empty() ? "" : ",") + (request == nullptr ? "-" : request->id);
      if (request != nullptr) {
        const std::string name = request->id;
        running_[name] = {std::move(request), popped.sequences[i]};
      }
    }
    for (auto& dropped : popped.dropped) {
      text += "!" + dropped.request->id;
      dropped.request->Finish(dropped.status, dropped.reason);
    }
    return popped.wait_until == kNever ? text : text + "@" + std::to_string(popped.wait_until);
  }
  void Release(const std::string& name, Nanos now) {
    auto [request, sequence] = std::move(running_.at(name));
    running_.erase(name);
    request->Finish(OkStatus());
    core_->Released(*sequence, now);
  }
  void ReleaseAll(Nanos now) {
    while (!running_.empty()) {
      Release(running_.begin()->first, now);
    }
  }
  std::vector<std::string> Expire(Nanos now) {
    std::vector<SequenceCore::Dropped> dropped;
    std::vector<std::size_t> seats;
    core_->Expire(now, dropped, seats);
    std::vector<std::string> texts;
    for (auto& one : dropped) {
      texts.push_back(one.request->id + ": " + one.status.message());
      one.request->Finish(one.status, one.reason);
    }
    return texts;
  }

  static constexpr Spec kStart{.flags = 1}, kEnd{.flags = 2}, kWhole{.flags = 3};
  std::optional<SequenceCore> core_;
  std::map<std::string, std::shared_ptr<Answer>> answers_;
  std::map<std::string, std::pair<std::unique_ptr<InferRequest>, SequenceCore::Sequence*>> running_;
};

TEST_F(SequenceCoreTest, Direct_KeepsEachSequenceInItsSlot) {
  Make(Direct(4));
  Push("a1", 1, 1, kStart);
  Push("b1", 2, 2, kStart);
  Push("c1", 3, 3, kStart);
  EXPECT_EQ(Pop(4), "a1,b1,c1");
  ReleaseAll(5);
  Push("c2", 3, 6);
  Push("a2", 1, 7);
  EXPECT_EQ(Pop(8), "a2,-,c2");
  ReleaseAll(9);
  Push("b2", 2, 10, kEnd);
  EXPECT_EQ(Pop(11), "-,b2,-");
  ReleaseAll(12);
  Push("d1", 4, 13, kStart);
  EXPECT_EQ(Pop(14), "-,d1,-");
}

TEST_F(SequenceCoreTest, RequestsOfASequence_GoOneAfterTheOther) {
  Make(Direct(2));
  Push("a1", 1, 1, kStart);
  Push("a2", 1, 1);
  Push("b1", 2, 1, kStart);
  EXPECT_EQ(Pop(2), "a1,b1");
  EXPECT_EQ(Pop(2), "");
  Release("b1", 3);
  EXPECT_EQ(Pop(3), "");
  Release("a1", 4);
  EXPECT_EQ(Pop(4), "a2,-");
}

TEST_F(SequenceCoreTest, ANewSequence_TakesTheLowestFreeSlotOfAllSeats) {
  Make(Direct(2), 2);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    Push(std::to_string(id), id, 1, kStart);
  }
  EXPECT_EQ(Pop(2, 0), "1,3");
  EXPECT_EQ(Pop(2, 1), "2");
}

TEST_F(SequenceCoreTest, TheBacklogIsServedInOrder_WhenASlotGetsFree) {
  Make(Direct(1));
  Push("a1", 1, 1, kStart);
  Push("b1", 2, 2, kStart);
  Push("b2", 2, 3, kEnd);
  Push("c1", 3, 4, kWhole);
  EXPECT_EQ(core_->figures().backlog, 2u);
  EXPECT_EQ(Pop(5), "a1");
  Release("a1", 6);
  EXPECT_EQ(Pop(7), "");  // waits for more of sequence 1
  Push("a2", 1, 8, kEnd);
  for (const char* next : {"a2", "b1", "b2", "c1"}) {
    EXPECT_EQ(Pop(9), next);
    Release(next, 10);
  }
  EXPECT_EQ(core_->figures().live, 0u);
  EXPECT_EQ(core_->figures().ended, 3u);
}

TEST_F(SequenceCoreTest, RefusesWhatHasNoPlaceInASequence) {
  Make(Direct(1));
  EXPECT_THAT(Push("a", 7, 1),
              HasSubstr("inference request for sequence 7 to model 'm' must specify the START flag "
                        "on the first request of the sequence"));
  EXPECT_THAT(Push("a", 0, 1, kStart),
              HasSubstr("inference request to model 'm' must specify a non-zero or non-empty "
                        "correlation ID"));
  Push("b", 1, 1, kWhole);
  EXPECT_THAT(Push("c", 1, 1), HasSubstr("must specify the START flag"));
  EXPECT_EQ(core_->depth(), 1u);
}

TEST_F(SequenceCoreTest, AnIdMayBeUsedAgain_WhileItsFirstSequenceStillExecutes) {
  Make(Direct(2));
  Push("a", 1, 1, kWhole);
  Push("b", 1, 2, kStart);
  EXPECT_EQ(Pop(3), "a,b");
}

TEST_F(SequenceCoreTest, ASecondStart_GoesOnInTheSameSlot) {
  Make(Direct(2));
  Push("a1", 1, 1, kStart);
  Push("a2", 1, 2, kStart);
  EXPECT_EQ(Pop(3), "a1");
  ReleaseAll(4);
  EXPECT_EQ(Pop(5), "a2");
  EXPECT_EQ(core_->figures().live, 1u);
}

TEST_F(SequenceCoreTest, RequestsOfAnotherShape_WaitForTheNextStep) {
  Make(Direct(3));
  Push("a", 1, 1, {.flags = 1, .shape = 1});
  Push("b", 2, 2, {.flags = 1, .shape = 2});
  Push("c", 3, 3, {.flags = 1, .shape = 1});
  EXPECT_EQ(Pop(4), "a,-,c");
  EXPECT_EQ(Pop(4), "-,b,-");
}

TEST_F(SequenceCoreTest, Direct_WaitsForTheUtilization_NoLongerThanTheDelay) {
  SequenceOptions options = Direct(4);
  options.queue_delay_max = 100;
  options.slot_utilization_min = 0.5;
  Make(options);
  Push("a", 1, 10, kStart);
  EXPECT_EQ(Pop(10), "@110");
  Push("b", 2, 20, kStart);
  EXPECT_EQ(Pop(20), "a,b");
  ReleaseAll(30);
  Push("a2", 1, 40);
  EXPECT_EQ(Pop(139), "@140");
  EXPECT_EQ(Pop(140), "a2,-");
}

TEST_F(SequenceCoreTest, Oldest_TakesTheOldestOfDifferentSequences) {
  Make(Oldest(8, 2));
  Push("a1", 1, 1, kStart);
  Push("a2", 1, 2);
  Push("b1", 2, 3, kStart);
  Push("c1", 3, 4, kStart);
  EXPECT_EQ(Pop(5), "a1,b1");
  EXPECT_EQ(Pop(5), "c1");
  EXPECT_EQ(Pop(5), "");
  ReleaseAll(6);
  EXPECT_EQ(Pop(7), "a2");
}

TEST_F(SequenceCoreTest, Oldest_WaitsForAPreferredSize_NoLongerThanTheDelay) {
  SequenceOptions options = Oldest(8, 4);
  options.queue_delay_max = 100;
  options.preferred_sizes = {2};
  Make(options);
  Push("a", 1, 10, kStart);
  EXPECT_EQ(Pop(10), "@110");
  Push("b", 2, 20, kStart);
  EXPECT_EQ(Pop(20), "a,b");
  Push("c", 3, 30, kStart);
  EXPECT_EQ(Pop(130), "c");
}

TEST_F(SequenceCoreTest, AnIdleSequence_LosesItsSlot) {
  Make(Direct(1));
  Push("a1", 1, 1, kStart);
  EXPECT_EQ(Pop(2), "a1");
  EXPECT_EQ(core_->next_expiry(), kNever);
  Release("a1", 100);
  Push("b1", 2, 200, kStart);
  EXPECT_EQ(core_->next_expiry(), 100 + kIdle);
  EXPECT_THAT(Expire(99 + kIdle), ElementsAre());
  EXPECT_EQ(Pop(99 + kIdle), "");
  EXPECT_THAT(Expire(100 + kIdle), ElementsAre());
  EXPECT_EQ(Pop(100 + kIdle), "b1");
  EXPECT_EQ(core_->figures().idled, 1u);
  EXPECT_THAT(Push("a2", 1, 101 + kIdle), HasSubstr("must specify the START flag"));
}

TEST_F(SequenceCoreTest, ARequestThatComesTooLate_FindsItsSequenceGone_BeforeTheTimerDoes) {
  Make(Direct(1));
  Push("a1", 1, 1, kStart);
  Pop(2);
  ReleaseAll(3);
  EXPECT_THAT(Push("a2", 1, 3 + kIdle), HasSubstr("must specify the START flag"));
  EXPECT_EQ(core_->figures().idled, 1u);
}

TEST_F(SequenceCoreTest, ATimeoutInTheBacklog_EndsTheSequence) {
  Make(Direct(1));
  Push("a", 1, 0, kStart);
  Push("b1", 2, 0, kStart);
  Push("b2", 2, 0, {.timeout_us = 5});
  Push("c", 3, 0, kStart);
  EXPECT_EQ(core_->next_expiry(), 5 * kMicrosecond);
  EXPECT_THAT(Expire(5 * kMicrosecond),
              ElementsAre("b1: timeout of the corresponding sequence has been expired",
                          "b2: timeout of the corresponding sequence has been expired"));
  EXPECT_THAT(Push("b3", 2, 6), HasSubstr("must specify the START flag"));
  EXPECT_EQ(core_->figures().backlog, 1u);
  EXPECT_EQ(core_->next_expiry(), kNever);
}

TEST_F(SequenceCoreTest, ACancelledRequest_EndsItsSequence_AndFreesTheSlot) {
  Make(Direct(1));
  Push("a1", 1, 1, kStart);
  Push("a2", 1, 1);
  Push("b", 2, 1, kStart);
  Push("c", 3, 1, kStart);
  EXPECT_EQ(Pop(2), "a1");
  answers_["a2"]->Cancel();
  answers_["b"]->Cancel();
  Release("a1", 3);
  EXPECT_EQ(Pop(4), "c!a2!b");
  EXPECT_EQ(answers_["a2"]->Wait().code(), StatusCode::kCancelled);
  EXPECT_EQ(core_->figures().cancelled, 2u);
}

TEST_F(SequenceCoreTest, LimitsCountTheBacklogToo) {
  Make(Direct(1), 1, {.request_count_max = 2});
  EXPECT_EQ(Push("a", 1, 1, kStart), "");
  EXPECT_EQ(Push("b", 2, 1, kStart), "");
  EXPECT_THAT(Push("c", 3, 1, kStart), HasSubstr("Exceeds maximum queue size"));
  Make(Direct(1), 1, {.byte_size_max = 15});
  EXPECT_EQ(Push("a", 1, 1, kStart), "");
  EXPECT_THAT(Push("b", 2, 1, kStart), HasSubstr("Exceeds maximum queue size"));
  EXPECT_EQ(core_->figures().started, 1u);
}

TEST_F(SequenceCoreTest, Iterative_ARequestIsASequence_AndIsExecutedAgain) {
  SequenceOptions options = Oldest(2, 2);
  options.iterative = true;
  Make(options);
  Push("a", 0, 1);
  Push("b", 0, 1);
  Push("c", 0, 1);
  EXPECT_EQ(Pop(2), "a,b");
  auto [request, sequence] = std::move(running_.at("a"));
  running_.erase("a");
  EXPECT_EQ(request->sequence_flags, 3u);
  core_->Released(*sequence, 3, std::move(request));
  Release("b", 4);
  EXPECT_EQ(Pop(5), "c,a");
  EXPECT_EQ(running_.at("a").first->sequence_flags, 2u);
  ReleaseAll(6);
  EXPECT_EQ(core_->figures().live, 0u);
}

TEST_F(SequenceCoreTest, Closed_GivesOutTheRest_AndEndsWhatHasNothingLeft) {
  SequenceOptions options = Direct(2);
  options.queue_delay_max = 100;
  options.slot_utilization_min = 1;
  Make(options);
  Push("a", 1, 1, kStart);
  Push("b", 2, 1, kStart);
  Pop(2);
  Release("a", 3);
  Push("c", 3, 3, kStart);
  core_->Close();
  EXPECT_THAT(Push("d", 4, 3, kStart), HasSubstr("being unloaded"));
  EXPECT_EQ(Pop(4), "c,-");
  Release("b", 5);
  EXPECT_FALSE(core_->SeatIsFree(0));
  Release("c", 5);
  EXPECT_TRUE(core_->SeatIsFree(0));
}

TEST_F(SequenceCoreTest, ARetiringSeat_KeepsItsSequencesAndTakesNoOthers) {
  Make(Direct(1), 2);
  Push("a1", 1, 1, kStart);
  core_->RetireSeat(0);
  Push("b", 2, 1, kStart);
  Push("c", 3, 1, kStart);
  Push("a2", 1, 1, kEnd);
  EXPECT_EQ(Pop(2, 0), "a1");
  Release("a1", 3);
  EXPECT_EQ(Pop(4, 0), "a2");
  Release("a2", 5);
  EXPECT_TRUE(core_->SeatIsFree(0));
  EXPECT_EQ(Pop(6, 0), "");
  EXPECT_EQ(core_->AddSeat(), 2u);
  EXPECT_EQ(Pop(6, 2), "c");
}

TEST_F(SequenceCoreTest, HoldsEverythingBack_UntilSoManyWaitInSlotsAndBacklog) {
  Make(Direct(1), 1, {.hold_until_count = 1, .hold_until_backlog_count = 2});
  Push("a", 1, 1, kWhole);
  Push("b", 2, 1, kWhole);
  EXPECT_EQ(Pop(1), "");
  Push("c", 3, 1, kWhole);
  EXPECT_EQ(Pop(1), "a");
}

TEST_F(SequenceCoreTest, TakeAll_EmptiesSlotsAndBacklog) {
  Make(Direct(1));
  Push("a1", 1, 1, kStart);
  Push("a2", 1, 1);
  Push("b", 2, 1, kStart);
  Pop(2);
  std::vector<std::unique_ptr<InferRequest>> all;
  core_->TakeAll(all);
  EXPECT_EQ(all.size(), 2u);
  EXPECT_EQ(core_->depth(), 0u);
  EXPECT_EQ(core_->byte_size(), 0u);
  for (const auto& request : all) {
    request->Finish(OkStatus());
  }
  Release("a1", 3);
  EXPECT_TRUE(core_->SeatIsFree(0));
}

TEST_F(SequenceCoreTest, StartsByItself_WhereASequenceIsNotThere) {
  SequenceOptions options = Oldest(2, 2);
  options.starts_by_itself = true;
  Make(options);
  EXPECT_EQ(Push("a1", 1, 1), "");
  EXPECT_EQ(Push("a2", 1, 2), "");
  EXPECT_EQ(Pop(3), "a1");
  EXPECT_EQ(running_.at("a1").first->sequence_flags, 1u);
  ReleaseAll(4);
  EXPECT_EQ(Pop(5), "a2");
  EXPECT_EQ(running_.at("a2").first->sequence_flags, 0u);
  ReleaseAll(6);
  // Idle for too long: it begins anew.
  EXPECT_EQ(Push("a3", 1, 6 + kIdle), "");
  EXPECT_EQ(Pop(7 + kIdle), "a3");
  EXPECT_EQ(running_.at("a3").first->sequence_flags, 1u);
  EXPECT_EQ(core_->figures().started, 2u);
}

TEST_F(SequenceCoreTest, Conclude_EndsASequenceAfterWhatItHas) {
  SequenceOptions options = Oldest(2, 2);
  options.starts_by_itself = true;
  Make(options);
  Push("a1", 1, 1);
  Push("a2", 1, 1);
  EXPECT_EQ(Pop(2), "a1");
  core_->Conclude(*running_.at("a1").second);
  // Of another sequence of that name, which has a slot of its own.
  EXPECT_EQ(Push("b1", 1, 3), "");
  ReleaseAll(4);
  EXPECT_EQ(core_->figures().live, 2u);
  EXPECT_EQ(Pop(5), "a2,b1");
  ReleaseAll(6);
  EXPECT_EQ(core_->figures().live, 1u);
  EXPECT_EQ(core_->figures().ended, 1u);
}

TEST_F(SequenceCoreTest, OldSequence_BeginsAnew) {
  SequenceOptions options = Oldest(4, 1);
  options.starts_by_itself = true;
  options.age_max = 100;
  Make(options);
  Push("a1", 1, 1);
  EXPECT_EQ(Pop(1), "a1");
  ReleaseAll(2);
  Push("a2", 1, 100);
  EXPECT_EQ(Pop(100), "a2");
  // It still executes, or it is idle: the next request has a sequence of its own.
  EXPECT_EQ(Push("b1", 1, 101), "");
  EXPECT_EQ(core_->figures().started, 2u);
  ReleaseAll(102);
  EXPECT_EQ(core_->figures().live, 1u);
  EXPECT_EQ(Pop(103), "b1");
  ReleaseAll(104);
  EXPECT_EQ(Push("c1", 1, 300), "");
  EXPECT_EQ(core_->figures().live, 1u);
  EXPECT_EQ(core_->figures().started, 3u);
}

TEST_F(SequenceCoreTest, Push_RefusesBeyondTheLimitsOfSequences) {
  SequenceOptions options = Oldest(1, 1);
  options.starts_by_itself = true;
  options.sequence_count_max = 2;
  options.pending_count_max = 1;
  Make(options);
  EXPECT_EQ(Push("a1", 1, 1), "");
  EXPECT_THAT(Push("a2", 1, 1), HasSubstr("1 requests of sequence 1 to model 'm' wait already"));
  EXPECT_EQ(Push("b1", 2, 1), "");  // in the backlog
  EXPECT_THAT(Push("c1", 3, 1), HasSubstr("has 2 sequences already"));
  EXPECT_EQ(Pop(2), "a1");
  EXPECT_EQ(Push("a2", 1, 3), "");
}

}  // namespace
}  // namespace headrace::engine
