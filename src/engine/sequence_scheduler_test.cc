#include "engine/sequence_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <map>

#include "engine/sequence_step.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;

template <typename T>
Buffer Element(T value) {
  return Buffer::CopyOf(std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)));
}

template <typename T>
T ValueOf(const InferRequest& request, std::string_view input) {
  for (const NamedTensor& tensor : request.inputs) {
    if (tensor.name == input && tensor.tensor.data.size() == sizeof(T)) {
      T value;
      std::memcpy(&value, tensor.tensor.data.data(), sizeof(T));
      return value;
    }
  }
  ADD_FAILURE() << "no input " << input;
  return T{};
}

// One state "sum" of one INT64, and every control.
SequenceOptions Options(std::size_t slots) {
  SequenceOptions options{.slot_count = slots,
                          .batch_size_max = static_cast<std::int64_t>(slots),
                          .idle_max = 1000 * kSecond};
  const auto flag = [&](std::string name, SequenceControlKind kind) {
    options.controls.push_back({.input = std::move(name),
                                .kind = kind,
                                .dtype = DataType::kInt32,
                                .when_false = Element<std::int32_t>(0),
                                .when_true = Element<std::int32_t>(1)});
  };
  flag("START", SequenceControlKind::kStart);
  flag("READY", SequenceControlKind::kReady);
  flag("END", SequenceControlKind::kEnd);
  options.controls.push_back(
      {.input = "CORRID", .kind = SequenceControlKind::kCorrelationId, .dtype = DataType::kUint32});
  options.states.push_back({.input = "SUM_IN",
                            .output = "SUM_OUT",
                            .dtype = DataType::kInt64,
                            .dims = Shape{1},
                            .initial_dims = Shape{1},
                            .initial_data = Element<std::int64_t>(100)});
  return options;
}

std::unique_ptr<InferRequest> Request(std::shared_ptr<Answer> answer, std::uint64_t id,
                                      std::uint32_t flags) {
  auto request =
      std::make_unique<InferRequest>(nullptr, std::make_unique<FakeSink>(std::move(answer)));
  request->inputs.push_back(testing::Fp32Input("X", Shape{1, 1}));
  request->correlation_id = id;
  request->sequence_flags = flags;
  return request;
}

Status Add(InferRequest& request, std::int64_t number) {
  Tensor value;
  value.dtype = DataType::kInt64;
  value.shape = Shape{1, 1};
  value.data = Element(ValueOf<std::int64_t>(request, "SUM_IN") + number);
  return request.step->UpdateState("SUM_OUT", std::move(value));
}

TEST(SequenceSchedulerTest, ARequestGetsControlsAndState) {
  SequenceScheduler scheduler(Options(1), {}, "m", Clock::Real());
  const std::size_t seat = scheduler.AddSeat();
  std::vector<std::shared_ptr<Answer>> answers;
  for (const std::uint32_t flags : {1u, 0u, 2u, 1u}) {
    answers.push_back(std::make_shared<Answer>());
    scheduler.Push(Request(answers.back(), (std::uint64_t{1} << 32) + 7, flags));
  }
  const std::int32_t starts[] = {1, 0, 0, 1}, ends[] = {0, 0, 1, 0};
  const std::int64_t sums[] = {100, 101, 102, 100};
  for (int i = 0; i < 4; ++i) {
    std::optional<Batch> batch = scheduler.PopBatch(seat, nullptr);
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->requests.size(), 1u);
    InferRequest& request = *batch->requests[0];
    EXPECT_EQ(ValueOf<std::int32_t>(request, "START"), starts[i]);
    EXPECT_EQ(ValueOf<std::int32_t>(request, "READY"), 1);
    EXPECT_EQ(ValueOf<std::int32_t>(request, "END"), ends[i]);
    EXPECT_EQ(ValueOf<std::uint32_t>(request, "CORRID"), 7u);
    EXPECT_EQ(ValueOf<std::int64_t>(request, "SUM_IN"), sums[i]);
    EXPECT_TRUE(request.step->HasState("SUM_OUT"));
    EXPECT_FALSE(request.step->HasState("SUM_IN"));
    EXPECT_TRUE(Add(request, 1).ok());
    testing::AnswerAll(*std::move(batch));
  }
  scheduler.Close();
}

TEST(SequenceSchedulerTest, AStateOfTheWrongTypeOrShape_IsRefused) {
  SequenceScheduler scheduler(Options(1), {}, "m", Clock::Real());
  const std::size_t seat = scheduler.AddSeat();
  scheduler.Push(Request(std::make_shared<Answer>(), 1, 3));
  Batch batch = *scheduler.PopBatch(seat, nullptr);
  SequenceStep& step = *batch.requests[0]->step;
  Tensor value;
  value.dtype = DataType::kFp32;
  value.shape = Shape{1, 1};
  EXPECT_EQ(step.UpdateState("SUM_OUT", value).code(), StatusCode::kInvalidArgument);
  value.dtype = DataType::kInt64;
  value.shape = Shape{1, 2};
  EXPECT_EQ(step.UpdateState("SUM_OUT", value).code(), StatusCode::kInvalidArgument);
  value.shape = Shape{1};
  EXPECT_EQ(step.UpdateState("SUM_OUT", value).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(step.UpdateState("OTHER", value).code(), StatusCode::kInvalidArgument);
  testing::AnswerAll(std::move(batch));
}

TEST(SequenceSchedulerTest, AnEmptySlot_GetsAPlaceholder) {
  SequenceScheduler scheduler(Options(2), {}, "m", Clock::Real());
  const std::size_t seat = scheduler.AddSeat();
  scheduler.Push(Request(std::make_shared<Answer>(), 1, 1));
  scheduler.Push(Request(std::make_shared<Answer>(), 2, 1));
  testing::AnswerAll(*scheduler.PopBatch(seat, nullptr));
  auto answer = std::make_shared<Answer>();
  scheduler.Push(Request(answer, 2, 2));
  Batch batch = *scheduler.PopBatch(seat, nullptr);
  ASSERT_EQ(batch.requests.size(), 2u);
  InferRequest& empty = *batch.requests[0];
  EXPECT_TRUE(empty.placeholder);
  EXPECT_EQ(empty.inputs.size(), batch.requests[1]->inputs.size());
  EXPECT_EQ(ValueOf<std::int32_t>(empty, "READY"), 0);
  EXPECT_EQ(ValueOf<std::int32_t>(empty, "START"), 0);
  EXPECT_EQ(ValueOf<std::int64_t>(empty, "SUM_IN"), 100);
  EXPECT_TRUE(Add(empty, 5).ok());
  EXPECT_TRUE(empty.sink().AllocateOutput("Y", 16).ok());
  testing::AnswerAll(std::move(batch));
  EXPECT_TRUE(answer->Wait().ok());
}

TEST(SequenceSchedulerTest, AnIterativeRequest_IsExecutedAgainWithItsOwnInputs) {
  SequenceOptions options = Options(1);
  options.iterative = true;
  SequenceScheduler scheduler(options, {}, "m", Clock::Real());
  const std::size_t seat = scheduler.AddSeat();
  auto answer = std::make_shared<Answer>();
  scheduler.Push(Request(answer, 0, 0));
  for (int i = 0; i < 3; ++i) {
    Batch batch = *scheduler.PopBatch(seat, nullptr);
    InferRequest& request = *batch.requests[0];
    EXPECT_EQ(request.inputs.size(), 6u);
    EXPECT_EQ(ValueOf<std::int32_t>(request, "START"), i == 0 ? 1 : 0);
    EXPECT_EQ(ValueOf<std::int64_t>(request, "SUM_IN"), 100 + i);
    EXPECT_TRUE(Add(request, 1).ok());
    EXPECT_TRUE(request.step->MayReschedule());
    if (i < 2) {
      request.step->Reschedule(std::move(batch.requests[0]));
    } else {
      testing::AnswerAll(std::move(batch));
    }
  }
  EXPECT_TRUE(answer->Wait().ok());
  EXPECT_EQ(scheduler.sequence_figures()->live, 0u);
}

TEST(SequenceSchedulerTest, TheTimer_EndsIdleSequencesAndBacklogTimeouts) {
  SequenceOptions options = Options(1);
  options.idle_max = 2 * kMillisecond;
  SequenceScheduler scheduler(options, {}, "m", Clock::Real());
  const std::size_t seat = scheduler.AddSeat();
  scheduler.Push(Request(std::make_shared<Answer>(), 1, 1));
  Batch batch = *scheduler.PopBatch(seat, nullptr);
  auto late = std::make_shared<Answer>();
  auto request = Request(late, 2, 1);
  request->timeout_us = 1;
  scheduler.Push(std::move(request));
  EXPECT_EQ(late->Wait().ToString(),
            "UNAVAILABLE: timeout of the corresponding sequence has been expired");
  auto waiting = std::make_shared<Answer>();
  scheduler.Push(Request(waiting, 3, 3));
  testing::AnswerAll(std::move(batch));
  // Blocks until the first sequence has lost its slot.
  testing::AnswerAll(*scheduler.PopBatch(seat, nullptr));
  EXPECT_TRUE(waiting->Wait().ok());
  EXPECT_EQ(scheduler.sequence_figures()->idled, 1u);
}

TEST(SequenceSchedulerTest, Close_WaitsForWhatExecutes_AndStopDoesNot) {
  SequenceScheduler scheduler(Options(1), {}, "m", Clock::Real());
  const std::size_t seat = scheduler.AddSeat();
  scheduler.Push(Request(std::make_shared<Answer>(), 1, 1));
  auto next = std::make_shared<Answer>();
  scheduler.Push(Request(next, 1, 2));
  Batch batch = *scheduler.PopBatch(seat, nullptr);
  scheduler.Close();
  auto popped = std::async(std::launch::async, [&] { return scheduler.PopBatch(seat, nullptr); });
  testing::AnswerAll(std::move(batch));
  std::optional<Batch> rest = popped.get();
  ASSERT_TRUE(rest);
  auto gone = std::async(std::launch::async, [&] { return scheduler.PopBatch(seat, nullptr); });
  scheduler.Stop();
  EXPECT_FALSE(gone.get());
  testing::AnswerAll(*std::move(rest));
  EXPECT_TRUE(next->Wait().ok());
}

TEST(SequenceSchedulerTest, ARetiredSeat_IsLeftWhenItsSequencesHaveEnded) {
  SequenceScheduler scheduler(Options(1), {}, "m", Clock::Real());
  const std::size_t seat = scheduler.AddSeat();
  std::atomic<bool> retired{false};
  scheduler.Push(Request(std::make_shared<Answer>(), 1, 1));
  testing::AnswerAll(*scheduler.PopBatch(seat, &retired));
  auto popped = std::async(std::launch::async, [&] { return scheduler.PopBatch(seat, &retired); });
  retired = true;
  scheduler.RouseAll();
  scheduler.Push(Request(std::make_shared<Answer>(), 1, 2));
  testing::AnswerAll(popped.get().value());
  EXPECT_FALSE(scheduler.PopBatch(seat, &retired));
}

// Through a model with several instances and clients: with a thread sanitizer the proof that the
// locking is right.
TEST(SequenceSchedulerTest, EverySequence_CountsItsOwnSteps) {
  constexpr int kClients = 4, kSequences = 20, kSteps = 10;
  for (const bool direct : {true, false}) {
    std::mutex mutex;
    std::map<std::uint64_t, std::vector<std::int64_t>> sums;  // by id
    ModelOptions options = testing::SmallModel(2);
    options.sequences = Options(3);
    options.sequences->direct = direct;
    options.sequences->batch_size_max = 8;
    auto model =
        Model::Start(std::move(options), std::make_unique<testing::FakeModel>([&](Batch b) {
                       for (const auto& request : b.requests) {
                         EXPECT_TRUE(Add(*request, 1).ok());
                         if (!request->placeholder) {
                           std::lock_guard lock(mutex);
                           sums[request->correlation_id].push_back(
                               ValueOf<std::int64_t>(*request, "SUM_IN"));
                         }
                       }
                       testing::AnswerAll(std::move(b));
                     }),
                     Clock::Real())
            .value();
    std::vector<std::thread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&, client] {
        for (int sequence = 0; sequence < kSequences; ++sequence) {
          const auto id = static_cast<std::uint64_t>(client * kSequences + sequence + 1);
          std::vector<std::shared_ptr<Answer>> answers;
          for (int step = 0; step < kSteps; ++step) {
            answers.push_back(std::make_shared<Answer>());
            auto request = testing::SmallRequest(model, answers.back());
            request->correlation_id = id;
            request->sequence_flags = (step == 0 ? 1u : 0u) | (step == kSteps - 1 ? 2u : 0u);
            model->Submit(std::move(request));
          }
          for (const auto& answer : answers) {
            EXPECT_TRUE(answer->Wait().ok());
          }
        }
      });
    }
    for (std::thread& client : clients) {
      client.join();
    }
    EXPECT_TRUE(model->Drain(10 * kSecond));
    EXPECT_EQ(sums.size(), static_cast<std::size_t>(kClients * kSequences));
    for (const auto& [id, seen] : sums) {
      ASSERT_EQ(seen.size(), static_cast<std::size_t>(kSteps));
      for (int step = 0; step < kSteps; ++step) {
        EXPECT_EQ(seen[static_cast<std::size_t>(step)], 100 + step) << "sequence " << id;
      }
    }
    EXPECT_EQ(model->statistics().Read().success.count,
              static_cast<std::uint64_t>(kClients * kSequences * kSteps));
  }
}

}  // namespace
}  // namespace headrace::engine
