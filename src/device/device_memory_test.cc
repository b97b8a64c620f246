#include "device/device_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "device/testing/fake_cuda.h"

namespace headrace::device {
namespace {

using testing::FakeCuda;

class DeviceMemoryTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kPinned = 1 << 20;
  static constexpr std::size_t kGpu = 2 << 20;

  FakeCuda cuda_;
  DeviceMemory memory_{Gpus::Discover(cuda_.driver(), 6.0),
                       {.pinned_byte_size_max = kPinned,
                        .gpu_byte_size_max = kGpu,
                        .gpu_byte_size_max_of = {{1, kGpu / 2}}}};
};

TEST_F(DeviceMemoryTest, Allocate_ChargesThePoolOfItsPlace) {
  const auto pinned = memory_.AllocatePinned(10'000);
  const auto gpu = memory_.AllocateGpu(1, 5'000);
  ASSERT_TRUE(pinned.ok() && gpu.ok());
  EXPECT_GE(memory_.pinned_byte_size_used(), 10'000u);
  EXPECT_GE(memory_.gpu_byte_size_used(1), 5'000u);
  EXPECT_EQ(memory_.gpu_byte_size_used(0), 0u);
  EXPECT_TRUE(memory_.Free(*pinned));
  EXPECT_TRUE(memory_.Free(*gpu));
  EXPECT_EQ(memory_.pinned_byte_size_used(), 0u);
  EXPECT_EQ(memory_.gpu_byte_size_used(1), 0u);
}

TEST_F(DeviceMemoryTest, Allocate_TakesAFreedPiece_WithoutAskingTheDriver) {
  const auto first = memory_.AllocateGpu(0, 100'000);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(memory_.Free(*first));
  const auto second = memory_.AllocateGpu(0, 99'000);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(cuda_.allocation_count, 1);
}

TEST_F(DeviceMemoryTest, Allocate_IsRefused_WhenThePoolIsSpent) {
  EXPECT_EQ(memory_.AllocatePinned(kPinned + 1).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(memory_.AllocatePinned(std::numeric_limits<std::size_t>::max()).status().code(),
            StatusCode::kUnavailable);
  EXPECT_FALSE(memory_.AllocateGpu(1, kGpu / 2 + 1).ok());
  ASSERT_TRUE(memory_.AllocatePinned(kPinned).ok());
  const auto more = memory_.AllocatePinned(1);
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.status().message(),
            "page-locked memory: 1048576 of the pool's 1048576 bytes are in use, 4096 more are "
            "asked for");
}

TEST_F(DeviceMemoryTest, Allocate_GivesIdlePiecesBack_BeforeItRefuses) {
  const auto small = memory_.AllocatePinned(kPinned / 2);
  ASSERT_TRUE(small.ok());
  ASSERT_TRUE(memory_.Free(*small));
  EXPECT_TRUE(memory_.AllocatePinned(kPinned).ok());
  EXPECT_EQ(cuda_.live_count(), 1u);
}

TEST_F(DeviceMemoryTest, Allocate_SaysWhichGpuIsMissing) {
  EXPECT_EQ(memory_.AllocateGpu(7, 1).status().message(), "there is no usable GPU 7");
  DeviceMemory nothing(Gpus::Discover(NotFound("no driver"), 6.0), {});
  EXPECT_EQ(nothing.AllocateGpu(0, 1).status().message(), "there is no usable GPU 0: no driver");
  EXPECT_EQ(nothing.AllocatePinned(1).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(nothing.pinned_byte_size_max(), 0u);
}

TEST_F(DeviceMemoryTest, Allocate_PassesTheDriversRefusalOn) {
  cuda_.fail_allocations = true;
  EXPECT_EQ(memory_.AllocateGpu(0, 1).status().message(),
            "4096 bytes cannot be had: fake failure (2)");
  EXPECT_EQ(memory_.gpu_byte_size_used(0), 0u);
}

TEST_F(DeviceMemoryTest, Free_RefusesWhatIsNotItsOwn) {
  int foreign = 0;
  EXPECT_FALSE(memory_.Free(&foreign));
  const auto piece = memory_.AllocatePinned(1);
  ASSERT_TRUE(piece.ok());
  EXPECT_TRUE(memory_.Free(*piece));
  EXPECT_FALSE(memory_.Free(*piece));
}

TEST_F(DeviceMemoryTest, Lock_PageLocks_AndFailsSoftly) {
  std::array<char, 64> bytes{};
  ASSERT_TRUE(memory_.Lock(bytes.data(), bytes.size()));
  EXPECT_EQ(cuda_.locked.size(), 1u);
  memory_.Unlock(bytes.data());
  EXPECT_TRUE(cuda_.locked.empty());
  cuda_.fail_locks = true;
  EXPECT_FALSE(memory_.Lock(bytes.data(), bytes.size()));
}

TEST_F(DeviceMemoryTest, Destruction_GivesEverythingBack) {
  {
    DeviceMemory memory(Gpus::Discover(cuda_.driver(), 6.0), {});
    const auto kept = memory.AllocatePinned(1);
    const auto freed = memory.AllocateGpu(0, 1);
    ASSERT_TRUE(kept.ok() && freed.ok());
    ASSERT_TRUE(memory.Free(*freed));
    EXPECT_EQ(cuda_.live_count(), 2u);
  }
  EXPECT_EQ(cuda_.live_count(), 0u);
}

}  // namespace
}  // namespace headrace::device
