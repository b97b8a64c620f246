#include "repository/online_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "repository/config_text.h"
#include "repository/model_options.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kModel[] = R"(name: "m" backend: "b" max_batch_size: 8
  dynamic_batching { max_queue_delay_microseconds: 2000 } instance_group { count: 2 } )";

std::string Parameter(const std::string& name, const std::string& value) {
  return "parameters { key: \"" + name + "\" value { string_value: \"" + value + "\" } } ";
}

Result<std::optional<engine::OnlineOptions>> Build(const std::string& text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return BuildOnlineOptions(*config);
}

std::string Refusal(const std::string& text) {
  const auto options = Build(text);
  EXPECT_FALSE(options.ok()) << text;
  EXPECT_EQ(options.status().code(), StatusCode::kInvalidArgument);
  return options.status().message();
}

TEST(OnlineParametersTest, AreOffUnlessAnSlaIsGiven) {
  const auto options = Build(kModel);
  ASSERT_TRUE(options.ok());
  EXPECT_FALSE(options->has_value());
}

TEST(OnlineParametersTest, GiveSlaAndBounds) {
  const auto options = Build(
      kModel + Parameter("online_sla", "p99.9=1.5s") + Parameter("online_queue_delay_min_us", "0") +
      Parameter("online_queue_delay_max_us", "10000") + Parameter("online_instances_max", "4") +
      Parameter("online_window_ms", "200") + Parameter("online_shrink_after_ms", "3000"));
  ASSERT_TRUE(options.ok()) << options.status().message();
  ASSERT_TRUE(options->has_value());
  const engine::OnlineOptions& online = **options;
  EXPECT_DOUBLE_EQ(online.percentile, 99.9);
  EXPECT_EQ(online.sla, 1500 * kMillisecond);
  EXPECT_EQ(online.queue_delay_min, 0);
  EXPECT_EQ(online.queue_delay_max, 10 * kMillisecond);
  EXPECT_EQ(online.instance_count_min, 2);  // as configured
  EXPECT_EQ(online.instance_count_max, 4);
  EXPECT_EQ(online.window, 200 * kMillisecond);
  EXPECT_EQ(online.shrink_after, 3 * kSecond);
}

TEST(OnlineParametersTest, AreCarriedByTheModelsOptions) {
  auto config = ParseConfigText(
      kModel + Parameter("online_sla", "p95=50ms") + Parameter("online_instances_min", "1"),
      "text");
  ASSERT_TRUE(config.ok());
  const auto options = BuildModelOptions(*config, 1, {});
  ASSERT_TRUE(options.ok());
  ASSERT_TRUE(options->online.has_value());
  EXPECT_EQ(options->online->sla, 50 * kMillisecond);
  EXPECT_EQ(options->online->instance_count_max, 2);
  EXPECT_EQ(options->online->queue_delay_max, 2 * kMillisecond);
}

TEST(OnlineParametersTest, RefuseASlaThatIsNone) {
  for (const char* text : {"", "100ms", "p99", "p99=", "p0=1s", "p100=1s", "p99=0ms", "p99=5",
                           "p99=-5ms", "p99=5min", "99=5ms", "p99=9999999s", "p=5ms", "p9.=5ms"}) {
    EXPECT_THAT(Refusal(kModel + Parameter("online_sla", text)),
                AllOf(HasSubstr("parameter 'online_sla'"), HasSubstr("p99=100ms")))
        << text;
  }
}

TEST(OnlineParametersTest, RefuseWhatMakesNoSense_AndSayWhatWould) {
  const std::string sla = kModel + Parameter("online_sla", "p99=100ms");
  const std::pair<std::string, std::string> cases[] = {
      {sla, "leaves nothing to vary"},
      {sla + Parameter("online_instances_max", "many"), "whole number from 1 to 1024"},
      {sla + Parameter("online_instances_max", "0"), "parameter 'online_instances_max'"},
      {sla + Parameter("online_instances_max", "1"), "1 is below 2"},
      {sla + Parameter("online_queue_delay_max_us", "-1"), "whole number from 0"},
      {sla + Parameter("online_queue_delay_max_us", "1000"), "1000 us is below 2000 us"},
      {sla + Parameter("online_queue_delay_max_us", "100000"), "must be below the latency"},
      {sla + Parameter("online_window_ms", "1"), "parameter 'online_window_ms'"},
      {sla + Parameter("online_instance_max", "4"), "there is no parameter 'online_instance_max'"},
      {kModel + Parameter("online_instances_max", "4"), "needs 'online_sla'"},
      {"max_batch_size: 8 " + Parameter("online_sla", "p99=1s") +
           Parameter("online_queue_delay_max_us", "5"),
       "needs dynamic_batching"},
      {sla + " instance_group { count: 1 } " + Parameter("online_instances_max", "4"),
       "single instance_group"},
      {"sequence_batching { } " + Parameter("online_sla", "p99=1s"), "sequences cannot be online"},
      {"model_transaction_policy { decoupled: true } " + Parameter("online_sla", "p99=1s"),
       "decoupled model cannot be online"},
      {"ensemble_scheduling { } " + Parameter("online_sla", "p99=1s"), "ensemble cannot be online"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(Refusal(text), HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace headrace::repository
