#include "plugin/instance_readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "engine/model.h"
#include "plugin/plugin_host.h"

namespace headrace::plugin {
namespace {

using ::testing::HasSubstr;

class SetClock final : public Clock {
 public:
  Nanos Now() const override { return now.load(); }
  std::atomic<Nanos> now{kSecond};
};

TEST(InstanceReadiness, SaysWhatTheInstanceSaid_AsSoonAsItExists) {
  InstanceReadiness readiness([] { return Unavailable("still warming up"); }, Clock::Real(), {});
  EXPECT_THAT(readiness.report().message(), HasSubstr("still warming up"));
}

TEST(InstanceReadiness, AsksAgain) {
  std::atomic<int> asked{0};
  std::promise<void> third;
  InstanceReadiness readiness(
      [&] {
        if (++asked == 3) {
          third.set_value();
        }
        return asked >= 2 ? OkStatus() : Unavailable("not yet");
      },
      Clock::Real(), {.interval = kMillisecond, .answer_timeout = 60 * kSecond});
  third.get_future().wait();
  EXPECT_TRUE(readiness.report().ok());
}

TEST(InstanceReadiness, NoAnswerForLong_IsANo_UntilItComes) {
  SetClock clock;
  std::atomic<int> asked{0};
  std::promise<void> hangs, answer;
  InstanceReadiness readiness(
      [&] {
        if (++asked == 2) {
          hangs.set_value();
          answer.get_future().wait();
        }
        return OkStatus();
      },
      clock, {.interval = kMillisecond, .answer_timeout = 5 * kSecond});
  hangs.get_future().wait();
  clock.now += 4 * kSecond;
  EXPECT_TRUE(readiness.report().ok());
  clock.now += kSecond;
  EXPECT_THAT(readiness.report().message(), HasSubstr("has not answered for 5 s"));
  answer.set_value();
}

TEST(InstanceReadiness, OfABackendThatExportsTheEntry_IsTheModels) {
  PluginHost host({.backend_directory = HEADRACE_TEST_BACKENDS,
                   .backend_config = {},
                   .host_library_directory = HEADRACE_HOST_LIBRARY_DIRECTORY});
  engine::LoadSpec spec;
  spec.model_name = "m";
  spec.backend = "faulty";
  spec.model_directory = "/nonexistent/m";
  for (const bool ready : {true, false}) {
    spec.config_json = ready ? "{}" : R"({"not_ready": true})";
    auto backend = host.Find(spec);
    ASSERT_TRUE(backend.ok()) << backend.status().ToString();
    auto loaded = (*backend)->Load(spec);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    engine::ModelOptions options;
    options.name = "m";
    options.placements = {{.name = "m_0"}};
    auto model = engine::Model::Start(std::move(options), *std::move(loaded), Clock::Real());
    ASSERT_TRUE(model.ok()) << model.status().ToString();
    const Status health = (*model)->Health();
    EXPECT_EQ(health.ok(), ready);
    if (!ready) {
      EXPECT_THAT(health.message(),
                  HasSubstr("'m_0' says that it is not ready: the device is away"));
    }
    // It is shown, and requests are executed all the same.
    EXPECT_TRUE((*model)->CanServe());
    EXPECT_TRUE((*model)->Drain(60 * kSecond));
  }
}

}  // namespace
}  // namespace headrace::plugin
