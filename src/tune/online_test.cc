#include "tune/online.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tune/model_config.h"

namespace headrace::tune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Finding Measured(Shape shape, std::int64_t batch_max, Nanos delay, double rate) {
  Finding finding;
  finding.configuration = {.shape = shape, .batch_max = batch_max, .delay = delay};
  finding.rungs = 1;
  finding.estimate.value = rate;
  return finding;
}

constexpr Target kTarget{.sla = 100 * kMillisecond, .percentile = 99};

TEST(OnlineTest, BoundsAreWhatWasMeasuredToHold) {
  SearchReport report;
  report.findings = {Measured({2, 1}, 8, 2 * kMillisecond, 50),
                     Measured({3, 1}, 8, 5 * kMillisecond, 40),
                     Measured({4, 1}, 8, 0, 0),                    // held nothing
                     Measured({1, 4}, 8, 50 * kMillisecond, 30),   // other threads
                     Measured({6, 1}, 4, 20 * kMillisecond, 30)};  // other batches
  EXPECT_FALSE(OnlineBoundsOf(report, kTarget));
  report.winner = 0;
  const auto bounds = OnlineBoundsOf(report, kTarget);
  ASSERT_TRUE(bounds);
  EXPECT_EQ(bounds->delay_max, 5 * kMillisecond);
  EXPECT_EQ(bounds->instances_max, 3);
  EXPECT_EQ(OnlineFields(*bounds),
            "parameters { key: \"online_sla\" value { string_value: \"p99=100ms\" } }\n"
            "parameters { key: \"online_queue_delay_min_us\" value { string_value: \"0\" } }\n"
            "parameters { key: \"online_queue_delay_max_us\" value { string_value: \"5000\" } }\n"
            "parameters { key: \"online_instances_min\" value { string_value: \"1\" } }\n"
            "parameters { key: \"online_instances_max\" value { string_value: \"3\" } }\n");
  const auto json = WithOnline(R"({"name":"m","parameters":{"a":{"string_value":"b"}}})", *bounds);
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, AllOf(HasSubstr(R"("a":{"string_value":"b"})"),
                           HasSubstr(R"("online_instances_max":{"string_value":"3"})")));
}

TEST(OnlineTest, ThereAreNone_WhereNothingVaries) {
  SearchReport report;
  report.findings = {Measured({1, 2}, 1, 0, 50)};
  report.winner = 0;
  EXPECT_FALSE(OnlineBoundsOf(report, kTarget));
}

TEST(OnlineTest, OldBoundsGo_FromWhatIsMeasuredAndWritten) {
  const auto json = ConfigJsonFor(
      R"({"name":"m","max_batch_size":8,"parameters":{"online_sla":{"string_value":"p99=1s"},"a":{"string_value":"b"}}})",
      {.shape = {2, 0}, .batch_max = 4}, {}, true);
  ASSERT_TRUE(json.ok()) << json.status().message();
  EXPECT_THAT(*json, AllOf(Not(HasSubstr("online_sla")), HasSubstr(R"("a":{"string_value":"b"})")));
  const auto text = TunedConfigText(
      "name: \"m\"\nmax_batch_size: 8\n"
      "parameters { key: \"online_sla\" value { string_value: \"p99=1s\" } }\n"
      "parameters { key: \"a\" value { string_value: \"online_sla\" } }\n",
      "m", {.shape = {2, 0}, .batch_max = 4}, {}, true, "");
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, AllOf(Not(HasSubstr("p99=1s")), HasSubstr("key: \"a\"")));
}

}  // namespace
}  // namespace headrace::tune
