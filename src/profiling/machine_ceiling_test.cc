#include "profiling/machine_ceiling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::profiling {
namespace {

TEST(MachineCeilingTest, RooflineTime_IsOfWhatIsKnown) {
  const MachineCeiling ceiling{.flops_per_s = 1e9, .bytes_per_s = 1e10};
  EXPECT_DOUBLE_EQ(RooflineTimeOf(500, 0, ceiling).longer(), 500);
  EXPECT_DOUBLE_EQ(RooflineTimeOf(500, 20'000, ceiling).longer(), 2000);
  EXPECT_DOUBLE_EQ(RooflineTimeOf(0, 0, ceiling).longer(), 0);
  EXPECT_DOUBLE_EQ(RooflineTimeOf(500, 500, {}).longer(), 0);  // nothing was measured
}

TEST(MachineCeilingTest, Measure_TellsWhatThisMachineDoes_AndHow) {
  CeilingMeter meter;
  const MachineCeiling ceiling = meter.Measure(2);
  // No processor that this is built for is slower, even under a sanitizer.
  EXPECT_GT(ceiling.flops_per_s, 1e6);
  EXPECT_GT(ceiling.bytes_per_s, 1e6);
  EXPECT_EQ(ceiling.threads, 2);
  EXPECT_THAT(ceiling.how, ::testing::HasSubstr("2 thread(s)"));
}

TEST(MachineCeilingTest, Measure_KeepsTheHighest_AndTakesAnyNumberOfThreads) {
  CeilingMeter meter;
  const MachineCeiling first = meter.Measure(0);
  EXPECT_EQ(first.threads, 1);
  const MachineCeiling second = meter.Measure(1);
  EXPECT_GE(second.flops_per_s, first.flops_per_s);
  EXPECT_GE(second.bytes_per_s, first.bytes_per_s);
}

}  // namespace
}  // namespace headrace::profiling
