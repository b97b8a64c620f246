#include "scaling/autoscaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/testing/fake_backend.h"

namespace headrace::scaling {
namespace {

using engine::testing::Answer;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One version, whose workers are instances of a fake model.
class OneModel final : public Autoscaler::Target {
 public:
  OneModel(std::int64_t min, std::int64_t max, std::optional<engine::OnlineOptions> online = {}) {
    auto loaded = std::make_unique<engine::testing::FakeModel>();
    loaded->fail_instance = "does not start";
    engine::ModelOptions options = engine::testing::SmallModel(0);
    options.may_have_no_instances = true;
    options.placements = Placements(min);
    options.online = online;
    options.batching.queue_delay_max = online ? online->queue_delay_max : 0;
    version_.name = "small";
    version_.version = "1.0";
    version_.worker_count = min;
    version_.worker_count_min = min;
    version_.worker_count_max = max;
    version_.model =
        engine::Model::Start(std::move(options), std::move(loaded), Clock::Real()).value();
  }
  ~OneModel() override { version_.model->Drain(60 * kSecond); }

  std::vector<Version> Versions() const override {
    return present ? std::vector<Version>{version_} : std::vector<Version>();
  }
  void Resize(const Version& version, std::int64_t worker_count, std::string_view,
              Autoscaler::Done done) override {
    asked.push_back(worker_count);
    waiting_ = std::move(done);
    wanted_ = worker_count;
    EXPECT_EQ(version.model, version_.model);
  }

  // Does what was asked for.
  void Do() {
    Status done;
    std::vector<engine::InstancePlacement> placements = Placements(wanted_);
    if (fails) {
      placements.back().name = "does not start";
    }
    if (const Status status = version_.model->SetPlacements(placements); status.ok()) {
      version_.worker_count = wanted_;
    } else {
      done = status;
    }
    std::exchange(waiting_, nullptr)(done);
  }

  std::shared_ptr<Answer> Send() {
    auto answer = std::make_shared<Answer>();
    version_.model->Submit(engine::testing::SmallRequest(version_.model, answer));
    return answer;
  }
  void SetLimits(std::int64_t min, std::int64_t max) {
    version_.worker_count_min = min;
    version_.worker_count_max = max;
  }
  engine::Model& model() { return *version_.model; }
  // A request has its answer a moment before it has left the model.
  void WaitUntilIdle() {
    while (model().in_flight() != 0) {
      std::this_thread::yield();
    }
  }

  bool fails = false, present = true;
  std::vector<std::int64_t> asked;

 private:
  static std::vector<engine::InstancePlacement> Placements(std::int64_t count) {
    std::vector<engine::InstancePlacement> placements;
    for (std::int64_t i = 0; i < count; ++i) {
      placements.push_back({.name = "worker_" + std::to_string(i)});
    }
    return placements;
  }

  Version version_;
  Autoscaler::Done waiting_;
  std::int64_t wanted_ = 0;
};

class AutoscalerTest : public ::testing::Test {
 protected:
  void Make(OneModel& target) {
    AutoscalerOptions options;
    options.look_interval = 0;
    scaler_.emplace(options, target, clock_);
  }
  void LookAfter(Nanos time) {
    clock_.Advance(time);
    scaler_->Look(clock_.Now());
  }

  FakeClock clock_{kSecond};
  std::optional<Autoscaler> scaler_;
};

TEST_F(AutoscalerTest, StartsAWorkerForTheRequestThatWaits) {
  OneModel target(0, 2);
  Make(target);
  LookAfter(0);
  EXPECT_THAT(target.asked, IsEmpty());
  const auto answer = target.Send();
  EXPECT_EQ(answer->ends(), 0);
  LookAfter(kSecond);
  EXPECT_THAT(target.asked, ElementsAre(1));
  const auto second = target.Send();
  LookAfter(kSecond);  // nothing more while it is under way
  EXPECT_THAT(target.asked, ElementsAre(1));
  EXPECT_EQ(answer->ends() + second->ends(), 0);
  target.Do();
  EXPECT_TRUE(answer->Wait().ok());
  EXPECT_TRUE(second->Wait().ok());
  const auto figures = scaler_->FiguresOf("small", "1.0");
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->wanted, 1);
  EXPECT_EQ(figures->change_count, 1u);
  EXPECT_EQ(figures->reason, "requests wait for a first worker");
  EXPECT_EQ(figures->start_cost, 2 * kSecond);
}

TEST_F(AutoscalerTest, LetsTheLastWorkerGo_AndHasTheNextRequestWait) {
  OneModel target(0, 2);
  Make(target);
  LookAfter(0);
  const auto first = target.Send();
  LookAfter(kSecond);
  target.Do();
  EXPECT_TRUE(first->Wait().ok());
  target.WaitUntilIdle();
  LookAfter(kSecond);
  LookAfter(1000 * kSecond);
  EXPECT_THAT(target.asked, ElementsAre(1, 0));
  target.Do();
  const auto later = target.Send();
  EXPECT_EQ(later->ends(), 0);
  LookAfter(kSecond);
  EXPECT_THAT(target.asked, ElementsAre(1, 0, 1));
  target.Do();
  EXPECT_TRUE(later->Wait().ok());
}

TEST_F(AutoscalerTest, RefusesWhatWaits_WhenNoWorkerStarts) {
  OneModel target(0, 2);
  target.fails = true;
  Make(target);
  LookAfter(0);
  const auto answer = target.Send();
  LookAfter(kSecond);
  target.Do();
  EXPECT_EQ(answer->Wait().code(), StatusCode::kUnavailable);
  LookAfter(kSecond);
  EXPECT_EQ(target.Send()->Wait().code(), StatusCode::kUnavailable);
  EXPECT_EQ(scaler_->FiguresOf("small", "1.0")->reason, "workers did not start");
  EXPECT_THAT(target.asked, ElementsAre(1));
  target.fails = false;
  LookAfter(60 * kSecond);
  const auto later = target.Send();
  LookAfter(kSecond);
  target.Do();
  EXPECT_TRUE(later->Wait().ok());
}

TEST_F(AutoscalerTest, LeavesAModelWithOneNumberAlone) {
  OneModel target(0, 0);
  Make(target);
  LookAfter(0);
  EXPECT_EQ(target.Send()->Wait().code(), StatusCode::kUnavailable);
  LookAfter(kSecond);
  EXPECT_THAT(target.asked, IsEmpty());
  EXPECT_FALSE(scaler_->FiguresOf("small", "1.0"));
  target.SetLimits(0, 3);
  LookAfter(kSecond);
  const auto answer = target.Send();
  EXPECT_EQ(answer->ends(), 0);
  target.SetLimits(0, 0);
  LookAfter(kSecond);
  EXPECT_EQ(answer->Wait().code(), StatusCode::kUnavailable);
  EXPECT_FALSE(scaler_->FiguresOf("small", "1.0"));
}

std::string Page(const Autoscaler& scaler) {
  telemetry::PrometheusWriter writer;
  scaler.Collect(writer);
  return writer.Take();
}

TEST_F(AutoscalerTest, ShortensTheDelayOfAModelThatIsOnline_AndSaysSoOnThePage) {
  OneModel target(1, 1,
                  engine::OnlineOptions{
                      .sla = kSecond, .queue_delay_min = 0, .queue_delay_max = 200 * kMillisecond});
  Make(target);
  EXPECT_EQ(Page(*scaler_), "");
  LookAfter(0);
  const auto late = [&](int count) {
    for (int i = 0; i < count; ++i) {
      target.model().statistics().RecordSuccess(2 * kSecond);
    }
  };
  late(100);
  LookAfter(kSecond);
  EXPECT_EQ(target.model().queue_delay(), 100 * kMillisecond);
  EXPECT_THAT(
      Page(*scaler_),
      AllOf(HasSubstr("headrace_online_queue_delay_seconds{model=\"small\",version=\"1.0\"} "
                      "0.1\n"),
            HasSubstr("headrace_online_changes_total{model=\"small\",version=\"1.0\","
                      "setting=\"queue_delay\",reason=\"latency\"} 1\n"),
            HasSubstr("headrace_online_beyond_bounds{model=\"small\",version=\"1.0\"} 0\n")));
  for (int i = 0; i < 16; ++i) {  // each change begins a window
    late(100);
    LookAfter(kSecond);
  }
  EXPECT_EQ(target.model().queue_delay(), 0);
  EXPECT_THAT(Page(*scaler_), HasSubstr("headrace_online_beyond_bounds{model=\"small\","
                                        "version=\"1.0\"} 1\n"));
  EXPECT_THAT(target.asked, IsEmpty());
}

TEST_F(AutoscalerTest, FollowsTheLimits) {
  OneModel target(1, 3);
  Make(target);
  LookAfter(0);
  target.SetLimits(2, 3);
  LookAfter(kSecond);
  EXPECT_THAT(target.asked, ElementsAre(2));
  target.Do();
  EXPECT_EQ(target.model().instance_count(), 2u);
}

TEST_F(AutoscalerTest, ForgetsAVersionThatHasGone) {
  OneModel target(0, 2);
  Make(target);
  LookAfter(0);
  EXPECT_TRUE(scaler_->FiguresOf("small", "1.0"));
  target.present = false;
  LookAfter(kSecond);
  EXPECT_FALSE(scaler_->FiguresOf("small", "1.0"));
  EXPECT_EQ(target.Send()->Wait().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace headrace::scaling
