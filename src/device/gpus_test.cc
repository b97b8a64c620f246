#include "device/gpus.h"

#include <gtest/gtest.h>

#include "device/testing/fake_cuda.h"

namespace headrace::device {
namespace {

using testing::FakeCuda;

TEST(GpusTest, Discover_ListsDevices_WithTheirProperties) {
  const FakeCuda cuda;
  const Gpus gpus = Gpus::Discover(cuda.driver(), 6.0);
  ASSERT_EQ(gpus.usable().size(), 2u);
  EXPECT_EQ(gpus.usable()[0].name, "Fake A");
  EXPECT_EQ(gpus.usable()[1].id, 1);
  EXPECT_EQ(gpus.usable()[1].uuid, "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f");
  EXPECT_DOUBLE_EQ(gpus.usable()[1].capability(), 6.1);
  EXPECT_EQ(gpus.usable()[1].memory_byte_size, std::size_t{8} << 30);
  EXPECT_TRUE(gpus.why_none().empty());
}

TEST(GpusTest, Discover_LeavesOutDevices_BelowTheCapabilityAskedFor) {
  const FakeCuda cuda;
  const Gpus gpus = Gpus::Discover(cuda.driver(), 7.0);
  ASSERT_EQ(gpus.usable().size(), 1u);
  EXPECT_NE(gpus.Find(0), nullptr);
  EXPECT_EQ(gpus.Find(1), nullptr);
}

TEST(GpusTest, Discover_SaysWhy_WhenNoneIsUsable) {
  const Gpus without = Gpus::Discover(NotFound("libcuda.so.1: no such file"), 6.0);
  EXPECT_TRUE(without.empty());
  EXPECT_EQ(without.why_none(), "libcuda.so.1: no such file");
  const FakeCuda cuda;
  EXPECT_EQ(Gpus::Discover(cuda.driver(), 10.0).why_none(),
            "GPU 1 (Fake B) has compute capability 6.1, 10 is asked for");
}

TEST(GpusTest, Discover_GoesOn_WhenOneDeviceIsBroken) {
  FakeCuda cuda;
  cuda.broken_device = 0;
  const Gpus gpus = Gpus::Discover(cuda.driver(), 6.0);
  ASSERT_EQ(gpus.usable().size(), 1u);
  EXPECT_EQ(gpus.usable()[0].id, 1);
}

TEST(GpusTest, Contexts_AreReleased_WithTheObjectThatHoldsThem) {
  const FakeCuda cuda;
  {
    Gpus first = Gpus::Discover(cuda.driver(), 6.0);
    const Gpus second = std::move(first);
    EXPECT_EQ(cuda.contexts_retained, 2);
    EXPECT_TRUE(first.empty());  // NOLINT: that a moved one lets go is what is tested
  }
  EXPECT_EQ(cuda.contexts_retained, 0);
}

TEST(GpusTest, Current_IsOk_OnlyForUsableGpus) {
  const FakeCuda cuda;
  const Gpus gpus = Gpus::Discover(cuda.driver(), 7.0);
  {
    const Gpus::Current current(gpus, 0);
    EXPECT_TRUE(current.ok());
    EXPECT_TRUE(cuda.context_is_current());
  }
  EXPECT_FALSE(cuda.context_is_current());
  EXPECT_FALSE(Gpus::Current(gpus, 1).ok());
}

}  // namespace
}  // namespace headrace::device
