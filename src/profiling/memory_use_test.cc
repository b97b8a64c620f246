#include "profiling/memory_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace headrace::profiling {
namespace {

TEST(MemorySamplerTest, TakesResidentMemory_AndAsksCardsATenthAsOften) {
  const std::string path = ::testing::TempDir() + "/statm_" + std::to_string(getpid());
  std::uint64_t used = 5;
  MemorySampler sampler(
      kSecond,
      [&used] { return std::vector<DeviceMemoryUse>{{.device_id = 1, .used_byte_size = used--}}; },
      path);
  for (const int pages : {10, 30, 20}) {
    std::ofstream(path) << "100 " << pages << " 3\n";
    for (int i = 0; i < 5; ++i) {
      sampler.Sample(pages);
    }
  }
  ::unlink(path.c_str());
  const MemoryUse use = sampler.Take();
  EXPECT_EQ(use.resident.size(), 15u);
  EXPECT_EQ(use.ResidentPeak(), 30u * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(use.devices.size(), 2u);
  ASSERT_EQ(use.DevicePeaks().size(), 1u);
  EXPECT_EQ(use.DevicePeaks()[0].used_byte_size, 5u);
}

TEST(MemorySamplerTest, HasNoSample_WhereNothingCanBeRead) {
  MemorySampler sampler(kSecond, nullptr, "/no/such/file");
  sampler.Sample(0);
  EXPECT_EQ(sampler.Take().ResidentPeak(), 0u);
}

TEST(MemorySamplerTest, Interval_KeepsTheNumberOfSamplesBounded) {
  EXPECT_EQ(MemorySampler(kSecond, nullptr).interval(), 10 * kMillisecond);
  EXPECT_EQ(MemorySampler(600 * kSecond, nullptr).interval(), 100 * kMillisecond);
}

}  // namespace
}  // namespace headrace::profiling
