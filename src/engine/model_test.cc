#include "engine/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::AnswerAll;
using testing::FakeModel;
using testing::FakeSink;
using ::testing::HasSubstr;
using testing::Latch;
using testing::SmallModel;
using testing::SmallRequest;

ModelHandle Start(ModelOptions options, std::function<void(Batch)> execute = &AnswerAll) {
  return Model::Start(std::move(options), std::make_unique<FakeModel>(std::move(execute)),
                      Clock::Real())
      .value();
}

// received = success + failures by reason.
void ExpectBalanced(const Model& model) {
  const StatisticsSnapshot read = model.statistics().Read();
  const std::uint64_t failures = std::accumulate(read.failures_by_reason.begin(),
                                                 read.failures_by_reason.end(), std::uint64_t{0});
  EXPECT_EQ(read.received, read.success.count + failures);
  EXPECT_EQ(read.fail.count, failures);
}

std::uint64_t Failures(const Model& model, FailureReason reason) {
  return model.statistics().Read().failures_by_reason[static_cast<std::size_t>(reason)];
}

TEST(ModelTest, AnswersARequest) {
  auto model = Start(SmallModel());
  auto answer = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, answer));
  EXPECT_TRUE(answer->Wait().ok());
  EXPECT_EQ(answer->responses(), 1);
  EXPECT_TRUE(model->Drain(kSecond));
  EXPECT_EQ(model->statistics().Read().success.count, 1u);
  EXPECT_EQ(model->in_flight(), 0);
  ExpectBalanced(*model);
}

TEST(ModelTest, NamesItsThreads) {
  std::string name;
  auto model = Start(SmallModel(), [&name](Batch batch) {
    char text[16];
    pthread_getname_np(pthread_self(), text, sizeof text);
    name = text;
    AnswerAll(std::move(batch));
  });
  auto answer = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, answer));
  EXPECT_TRUE(answer->Wait().ok());
  EXPECT_EQ(name, "small_0");
}

TEST(ModelTest, CountsInvalidRequestsAsOther) {
  auto model = Start(SmallModel());
  auto answer = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, answer, 9));
  EXPECT_EQ(answer->Wait().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Failures(*model, FailureReason::kOther), 1u);
  EXPECT_EQ(model->in_flight(), 0);
  ExpectBalanced(*model);
}

TEST(ModelTest, RefusesWithUnavailable_WhenTheQueueIsFull) {
  Latch inside, go;
  ModelOptions options = SmallModel();
  options.queue_limits.request_count_max = 1;
  auto model = Start(options, [&](Batch batch) {
    inside.Open();
    go.Wait();
    AnswerAll(std::move(batch));
  });
  auto running = std::make_shared<Answer>(), queued = std::make_shared<Answer>(),
       refused = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, running));
  inside.Wait();
  model->Submit(SmallRequest(model, queued));
  EXPECT_EQ(model->queue_depth(), 1u);
  model->Submit(SmallRequest(model, refused));
  EXPECT_THAT(refused->Wait().message(), HasSubstr("Exceeds maximum queue size"));
  EXPECT_EQ(Failures(*model, FailureReason::kRejected), 1u);
  go.Open();
  EXPECT_TRUE(queued->Wait().ok());
  EXPECT_TRUE(model->Drain(10 * kSecond));
  ExpectBalanced(*model);
}

TEST(ModelTest, DropsARequestWhoseClientHasGone) {
  Latch inside, go;
  std::atomic<int> executed{0};
  auto model = Start(SmallModel(), [&](Batch batch) {
    executed += static_cast<int>(batch.requests.size());
    inside.Open();
    go.Wait();
    AnswerAll(std::move(batch));
  });
  auto running = std::make_shared<Answer>(), gone = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, running));
  inside.Wait();
  model->Submit(SmallRequest(model, gone));
  gone->Cancel();
  go.Open();
  EXPECT_EQ(gone->Wait().code(), StatusCode::kCancelled);
  EXPECT_TRUE(model->Drain(10 * kSecond));
  EXPECT_EQ(executed, 1);
  EXPECT_EQ(Failures(*model, FailureReason::kCanceled), 1u);
  ExpectBalanced(*model);
}

TEST(ModelTest, FailsTheBatch_WhenTheInstanceThrows) {
  std::atomic<int> executions{0};
  auto model = Start(SmallModel(), [&](Batch batch) {
    if (++executions == 1) {
      throw std::runtime_error("broken");
    }
    AnswerAll(std::move(batch));
  });
  auto first = std::make_shared<Answer>(), second = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, first));
  EXPECT_EQ(first->Wait().code(), StatusCode::kInternal);
  model->Submit(SmallRequest(model, second));
  EXPECT_TRUE(second->Wait().ok());
  EXPECT_TRUE(model->Drain(10 * kSecond));
  EXPECT_EQ(Failures(*model, FailureReason::kBackend), 1u);
  ExpectBalanced(*model);
}

TEST(ModelTest, Drain_RefusesNewRequests_AndIsIdempotent) {
  auto model = Start(SmallModel());
  EXPECT_TRUE(model->Drain(10 * kSecond));
  auto late = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, late));
  EXPECT_EQ(late->Wait().ToString(),
            "UNAVAILABLE: Request for unknown model: 'small' version 1 is not at ready state");
  EXPECT_TRUE(model->Drain(10 * kSecond));
  ExpectBalanced(*model);
}

TEST(ModelTest, Drain_WaitsForQueuedRequests) {
  Latch go;
  ModelOptions options = SmallModel();
  options.batching.queue_delay_max = kNever / 2;
  auto model = Start(options);
  auto queued = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, queued));
  EXPECT_TRUE(model->Drain(10 * kSecond));
  EXPECT_TRUE(queued->Wait().ok());
}

TEST(ModelTest, Drain_RefusesWhatIsStillQueued_WhenTimeRunsOut) {
  Latch inside, go, destroyed;
  auto fake = std::make_unique<FakeModel>([&](Batch batch) {
    inside.Open();
    go.Wait();
    AnswerAll(std::move(batch));
  });
  fake->on_destroy = [&destroyed] { destroyed.Open(); };
  auto model = Model::Start(SmallModel(), std::move(fake), Clock::Real()).value();
  auto running = std::make_shared<Answer>(), queued = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, running));
  inside.Wait();
  model->Submit(SmallRequest(model, queued));
  EXPECT_FALSE(model->Drain(kMillisecond));
  EXPECT_EQ(queued->Wait().code(), StatusCode::kUnavailable);
  // The last handle goes with the running request, on the instance's own thread.
  model.reset();
  go.Open();
  EXPECT_TRUE(running->Wait().ok());
  destroyed.Wait();
}

TEST(ModelTest, Drain_DestroysInstancesBeforeTheModel) {
  std::vector<std::string> order;
  auto fake = std::make_unique<FakeModel>();
  fake->on_instance_destroy = [&order] { order.push_back("instance"); };
  fake->on_destroy = [&order] { order.push_back("model"); };
  auto model = Model::Start(SmallModel(2), std::move(fake), Clock::Real()).value();
  EXPECT_TRUE(model->Drain(kSecond));
  EXPECT_EQ(order, (std::vector<std::string>{"instance", "instance", "model"}));
}

TEST(ModelTest, DoesNotStart_WhenAnInstanceFails) {
  for (const bool parallel : {false, true}) {
    auto fake = std::make_unique<FakeModel>();
    fake->fail_instance = "group_1";
    fake->parallel = parallel;
    const auto model = Model::Start(SmallModel(3), std::move(fake), Clock::Real());
    EXPECT_EQ(model.status().message(), "instance group_1 does not start");
  }
}

TEST(ModelTest, DoesNotStart_WithoutAnActiveInstance) {
  ModelOptions options = SmallModel(1);
  options.placements[0].passive = true;
  EXPECT_FALSE(Model::Start(options, std::make_unique<FakeModel>(), Clock::Real()).ok());
}

std::vector<InstancePlacement> Placements(int count) { return SmallModel(count).placements; }

TEST(ModelTest, RefusesRequests_WhileItHasNoInstances) {
  ModelOptions options = SmallModel();
  options.placements.clear();
  options.may_have_no_instances = true;
  const ModelHandle model =
      Model::Start(std::move(options), std::make_unique<FakeModel>(), Clock::Real()).value();
  EXPECT_FALSE(model->CanServe());
  EXPECT_THAT(model->Health().message(), HasSubstr("it has no instances"));
  auto refused = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, refused));
  EXPECT_EQ(refused->Wait().code(), StatusCode::kUnavailable);

  ASSERT_TRUE(model->SetPlacements({{.name = "a"}}).ok());
  EXPECT_TRUE(model->CanServe());
  auto answer = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, answer));
  EXPECT_TRUE(answer->Wait().ok());
  const std::vector<InstanceFacts> facts = model->Instances();
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_EQ(facts[0].name, "a");
  EXPECT_EQ(facts[0].health, InstanceHealth());
  EXPECT_EQ(facts[0].process.id, 0);

  ASSERT_TRUE(model->SetPlacements({}).ok());
  EXPECT_FALSE(model->CanServe());
  EXPECT_TRUE(model->Instances().empty());
}

TEST(ModelTest, SetPlacements_AddsAndRetiresInstances) {
  std::atomic<int> destroyed{0};
  auto fake = std::make_unique<FakeModel>();
  fake->on_instance_destroy = [&destroyed] { ++destroyed; };
  auto model = Model::Start(SmallModel(1), std::move(fake), Clock::Real()).value();
  ASSERT_TRUE(model->SetPlacements(Placements(4)).ok());
  EXPECT_EQ(model->instance_count(), 4u);
  EXPECT_EQ(destroyed, 0);
  ASSERT_TRUE(model->SetPlacements(Placements(1)).ok());
  EXPECT_EQ(model->instance_count(), 1u);
  while (destroyed != 3) {  // parked threads end at once
    std::this_thread::yield();
  }
  auto answer = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, answer));
  EXPECT_TRUE(answer->Wait().ok());
  EXPECT_TRUE(model->Drain(10 * kSecond));
  EXPECT_EQ(destroyed, 4);
  EXPECT_EQ(model->SetPlacements(Placements(2)).code(), StatusCode::kUnavailable);
}

TEST(ModelTest, SetPlacements_ChangesNothing_WhenAnInstanceFails) {
  auto fake = std::make_unique<FakeModel>();
  fake->fail_instance = "group_2";
  auto model = Model::Start(SmallModel(1), std::move(fake), Clock::Real()).value();
  EXPECT_EQ(model->SetPlacements(Placements(4)).message(), "instance group_2 does not start");
  auto passive = Placements(1);
  passive[0].passive = true;
  EXPECT_THAT(model->SetPlacements(passive).message(), HasSubstr("has no active instance"));
  EXPECT_EQ(model->instance_count(), 1u);
  auto answer = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, answer));
  EXPECT_TRUE(answer->Wait().ok());
}

TEST(ModelTest, SetPlacements_LetsABusyInstanceFinish_WithoutWaitingForIt) {
  Latch inside, go;
  std::atomic<int> executions{0};
  auto model = Start(SmallModel(1), [&](Batch batch) {
    if (++executions == 1) {
      inside.Open();
      go.Wait();
    }
    AnswerAll(std::move(batch));
  });
  auto busy = std::make_shared<Answer>(), next = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, busy));
  inside.Wait();
  auto other = Placements(1);
  other[0].name = "other_0";
  ASSERT_TRUE(model->SetPlacements(other).ok());
  model->Submit(SmallRequest(model, next));
  EXPECT_TRUE(next->Wait().ok());
  EXPECT_EQ(busy->ends(), 0);
  go.Open();
  EXPECT_TRUE(busy->Wait().ok());
  EXPECT_TRUE(model->Drain(10 * kSecond));
}

// The watcher of a delay, the runner chosen for a request and the last parked one may all be
// retired: somebody else has to take over.
TEST(ModelTest, SetPlacements_LosesNoRequest_UnderLoad) {
  for (const Nanos delay : {Nanos{0}, 200 * kMicrosecond}) {
    ModelOptions options = SmallModel(1);
    options.batching.queue_delay_max = delay;
    auto model = Start(options);
    std::atomic<bool> stop{false};
    std::vector<std::thread> clients;
    for (int i = 0; i < 3; ++i) {
      clients.emplace_back([&] {
        while (!stop) {
          auto answer = std::make_shared<Answer>();
          model->Submit(SmallRequest(model, answer));
          EXPECT_TRUE(answer->Wait().ok());
        }
      });
    }
    for (int i = 0; i < 200; ++i) {
      EXPECT_TRUE(model->SetPlacements(Placements(1 + i % 4)).ok());
    }
    stop = true;
    for (auto& client : clients) {
      client.join();
    }
    EXPECT_TRUE(model->Drain(10 * kSecond));
    ExpectBalanced(*model);
    EXPECT_EQ(Failures(*model, FailureReason::kRejected), 0u);
  }
}

TEST(ModelTest, KeepsTheOrderOfAnswers_WithSeveralInstances) {
  constexpr int kRequests = 300;
  ModelOptions options = SmallModel(3);
  options.batching.dynamic = false;
  options.preserve_ordering = true;
  Latch first_may_go;
  std::atomic<int> seen{0};
  auto model = Start(options, [&](Batch batch) {
    if (batch.requests.front()->id == "0") {
      first_may_go.Wait();  // the oldest is the slowest
    }
    AnswerAll(std::move(batch));
    if (++seen == kRequests / 2) {
      first_may_go.Open();
    }
  });
  std::vector<int> answered;
  std::shared_ptr<Answer> last;
  for (int i = 0; i < kRequests; ++i) {
    last = std::make_shared<Answer>();
    auto request = std::make_unique<InferRequest>(
        model,
        std::make_unique<FakeSink>(last, [&answered, i](const Status&) { answered.push_back(i); }));
    request->inputs.push_back(testing::Fp32Input("X", Shape{1, 1}));
    request->id = std::to_string(i);
    model->Submit(std::move(request));
  }
  EXPECT_TRUE(last->Wait().ok());
  EXPECT_TRUE(model->Drain(10 * kSecond));
  ASSERT_EQ(answered.size(), static_cast<std::size_t>(kRequests));
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
}

TEST(ModelTest, TheBooksBalance_WhenManyThreadsSubmitDuringADrain) {
  constexpr int kThreads = 4, kRequests = 1500;
  auto model = Start(SmallModel(2));
  std::vector<std::vector<std::shared_ptr<Answer>>> answers(kThreads);
  std::vector<std::thread> clients;
  Latch half;
  for (int t = 0; t < kThreads; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < kRequests; ++i) {
        auto& mine = answers[static_cast<std::size_t>(t)];
        mine.push_back(std::make_shared<Answer>());
        model->Submit(SmallRequest(model, mine.back(), i % 10 == 0 ? 9 : 1));
        if (i % 11 == 0) {
          mine.back()->Cancel();
        }
        if (i == kRequests / 2) {
          half.Open();
        }
      }
    });
  }
  half.Wait();
  EXPECT_TRUE(model->Drain(20 * kSecond));
  for (std::thread& client : clients) {
    client.join();
  }
  for (const auto& mine : answers) {
    for (const auto& answer : mine) {
      EXPECT_EQ(answer->ends(), 1);
    }
  }
  EXPECT_EQ(model->statistics().Read().received, static_cast<std::uint64_t>(kThreads * kRequests));
  EXPECT_EQ(model->in_flight(), 0);
  ExpectBalanced(*model);
}

}  // namespace
}  // namespace headrace::engine
