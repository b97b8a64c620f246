#include "worker/data_region.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace headrace::worker {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(DataRegionTest, Create_RefusesSizesOutsideOfItsLimits) {
  EXPECT_EQ(DataRegion::Create(kMiB - 1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(DataRegion::Create(UINT64_MAX).status().code(), StatusCode::kInvalidArgument);
}

TEST(DataRegionTest, NeitherSideCanChangeItsSize) {
  const auto region = DataRegion::Create(kMiB).value();
  EXPECT_NE(ftruncate(region->fd(), 0), 0);
  EXPECT_NE(ftruncate(region->fd(), 4 * kMiB), 0);
  EXPECT_NE(fcntl(region->fd(), F_ADD_SEALS, F_SEAL_WRITE), 0);
}

TEST(DataRegionTest, Allocate_StaysInTheServersHalf) {
  const auto region = DataRegion::Create(kMiB).value();
  EXPECT_EQ(region->middle(), kMiB / 2);
  const std::uint64_t whole = kMiB / 2 - DataRegion::kCancelByteSize;
  EXPECT_EQ(region->Allocate(whole).value(), DataRegion::kCancelByteSize);
  const auto refused = region->Allocate(1);
  EXPECT_EQ(refused.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(refused.status().message().find("data-byte-size"), std::string::npos);
  EXPECT_TRUE(region->Free(DataRegion::kCancelByteSize));
  EXPECT_FALSE(region->Free(DataRegion::kCancelByteSize));
}

TEST(DataRegionTest, InWorkerHalf_ChecksWithoutOverflow) {
  const auto region = DataRegion::Create(kMiB).value();
  EXPECT_TRUE(region->InWorkerHalf(kMiB / 2, kMiB / 2));
  EXPECT_TRUE(region->InWorkerHalf(kMiB, 0));
  EXPECT_FALSE(region->InWorkerHalf(kMiB / 2 - 1, 1));
  EXPECT_FALSE(region->InWorkerHalf(kMiB / 2 + 1, kMiB / 2));
  EXPECT_FALSE(region->InWorkerHalf(kMiB / 2, UINT64_MAX));
  EXPECT_FALSE(region->InWorkerHalf(UINT64_MAX, 2));
}

TEST(DataRegionTest, BothSidesSeeTheSameBytes) {
  const auto region = DataRegion::Create(kMiB).value();
  void* const other = mmap(nullptr, kMiB, PROT_READ, MAP_SHARED, region->fd(), 0);
  ASSERT_NE(other, MAP_FAILED);
  const std::uint64_t offset = region->Allocate(4).value();
  std::memcpy(region->At(offset), "abc", 4);
  EXPECT_STREQ(static_cast<const char*>(other) + offset, "abc");
  region->SetCancelled(5, true);
  EXPECT_EQ(static_cast<const char*>(other)[5], 1);
  region->SetCancelled(5, false);
  EXPECT_EQ(static_cast<const char*>(other)[5], 0);
  munmap(other, kMiB);
}

TEST(DataRegionTest, Free_GivesThePagesOfALargeBlockBack) {
  const auto region = DataRegion::Create(512 * kMiB).value();
  const auto pages = [&] {
    struct stat found = {};
    EXPECT_EQ(fstat(region->fd(), &found), 0);
    return static_cast<std::uint64_t>(found.st_blocks) * 512;
  };
  const std::uint64_t offset = region->Allocate(100 * kMiB).value();
  std::memset(region->At(offset), 1, 100 * kMiB);
  EXPECT_GE(pages(), 100 * kMiB);
  EXPECT_TRUE(region->Free(offset));
  EXPECT_LE(pages(), 65 * kMiB);
}

}  // namespace
}  // namespace headrace::worker
