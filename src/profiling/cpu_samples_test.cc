#include "profiling/cpu_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::profiling {
namespace {

TEST(CpuSampleTableTest, CountsFunctions_MostFirst_AndAsksForEachAddressOnce) {
  CpuSamples samples{.period = 1000, .with_kernel = true, .lost = 3};
  samples.samples = {{.at = 1, .thread = 7, .address = 0x10},
                     {.at = 2, .thread = 7, .address = 0x20},
                     {.at = 3, .thread = 7, .address = 0x20},
                     {.at = 4, .thread = 7, .address = 0x24},
                     {.at = 5, .thread = 8, .address = 0, .in_kernel = true}};
  samples.thread_names = {{7, "m_0"}};
  int asked = 0;
  const CpuSampleTable table = TableOf(samples, [&](std::uint64_t address) {
    ++asked;
    return CodePlace{.function = address < 0x20 ? "f" : "g", .module = "lib.so"};
  });
  EXPECT_EQ(asked, 3);
  ASSERT_EQ(table.functions.size(), 3u);
  EXPECT_EQ(table.functions[0].place.function, "g");
  EXPECT_EQ(table.functions[0].count, 3u);
  EXPECT_EQ(table.functions[1].place.function, "f");
  EXPECT_EQ(table.functions[2].place.function, "[kernel]");
  std::vector<std::size_t> functions;
  for (const auto& sample : table.samples) {
    functions.push_back(sample.function);
  }
  EXPECT_THAT(functions, ::testing::ElementsAre(1, 0, 0, 0, 2));
  EXPECT_EQ(table.lost, 3u);
  EXPECT_EQ(table.thread_names.at(7), "m_0");
}

TEST(CpuSampleTableTest, OfARefusal_HasItsReason) {
  const CpuSampleTable table = TableOf({.note = "not allowed"}, nullptr);
  EXPECT_EQ(table.note, "not allowed");
  EXPECT_TRUE(table.functions.empty());
}

}  // namespace
}  // namespace headrace::profiling
