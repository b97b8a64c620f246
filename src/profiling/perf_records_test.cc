#include "profiling/perf_records.h"

#include <gtest/gtest.h>

#include <cstring>

namespace headrace::profiling {
namespace {

using Buffer = std::vector<std::byte>;

template <typename T>
void Put(Buffer& buffer, T value) {
  const std::size_t at = buffer.size();
  buffer.resize(at + sizeof(value));
  std::memcpy(buffer.data() + at, &value, sizeof(value));
}

void PutHeader(Buffer& buffer, std::uint32_t type, std::uint16_t misc, std::uint16_t size) {
  Put(buffer, type);
  Put(buffer, misc);
  Put(buffer, size);
}

// As Linux 6.18 writes them.
void PutSample(Buffer& buffer, std::uint64_t address, std::uint32_t thread, std::uint64_t time,
               std::uint16_t misc = 2) {
  PutHeader(buffer, 9, misc, 32);
  Put(buffer, address);
  Put(buffer, std::uint32_t{4242});
  Put(buffer, thread);
  Put(buffer, time);
}

TEST(PerfRecordsTest, SamplesAreRead_AndOtherRecordsPassedOver) {
  Buffer buffer;
  PutSample(buffer, 0x5555'0000'1234, 7, 100);
  PutHeader(buffer, 5, 0, 32);  // PERF_RECORD_THROTTLE
  buffer.resize(buffer.size() + 24);
  PutSample(buffer, 0xffff'ffff'8100'0000, 8, 200, 1);  // in the kernel
  PutHeader(buffer, 2, 0, 24);                          // PERF_RECORD_LOST
  Put(buffer, std::uint64_t{1});
  Put(buffer, std::uint64_t{5});
  const PerfRecords read = ReadPerfRecords(buffer);
  ASSERT_EQ(read.samples.size(), 2u);
  EXPECT_EQ(read.samples[0].address, 0x5555'0000'1234u);
  EXPECT_EQ(read.samples[0].thread, 7);
  EXPECT_EQ(read.samples[0].at, 100);
  EXPECT_FALSE(read.samples[0].in_kernel);
  EXPECT_TRUE(read.samples[1].in_kernel);
  EXPECT_EQ(read.samples[1].address, 0u);
  EXPECT_EQ(read.lost, 5u);
  EXPECT_FALSE(read.damaged);
}

TEST(PerfRecordsTest, ARecordOfALaterKernel_MayBeLonger) {
  Buffer buffer;
  PutSample(buffer, 1, 7, 100);
  const std::uint16_t size = 40;
  std::memcpy(buffer.data() + 6, &size, sizeof(size));
  Put(buffer, std::uint64_t{9});
  PutSample(buffer, 2, 7, 200);
  EXPECT_EQ(ReadPerfRecords(buffer).samples.size(), 2u);
}

TEST(PerfRecordsTest, DamagedRecordsEndTheReading) {
  EXPECT_TRUE(ReadPerfRecords(Buffer(3)).damaged);
  EXPECT_TRUE(ReadPerfRecords(Buffer(64)).damaged);  // of no length
  Buffer buffer;
  PutSample(buffer, 1, 7, 100);
  PutHeader(buffer, 9, 2, 32);  // its body is missing
  const PerfRecords cut = ReadPerfRecords(buffer);
  EXPECT_TRUE(cut.damaged);
  EXPECT_EQ(cut.samples.size(), 1u);
  Buffer little;
  PutHeader(little, 9, 2, 16);
  Put(little, std::uint64_t{1});
  EXPECT_TRUE(ReadPerfRecords(little).damaged);
}

TEST(PerfRecordsTest, NothingIsNoSample) {
  EXPECT_TRUE(ReadPerfRecords({}).samples.empty());
  EXPECT_FALSE(ReadPerfRecords({}).damaged);
}

}  // namespace
}  // namespace headrace::profiling
