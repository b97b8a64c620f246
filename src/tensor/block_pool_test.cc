#include "tensor/block_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "device/testing/fake_cuda.h"

namespace headrace {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;
constexpr std::size_t kLarge = 602112;  // a 1x3x224x224 tensor of floats

MutableBuffer Allocated(BlockPool& pool, std::size_t byte_size) {
  auto block = pool.Allocate(byte_size);
  EXPECT_TRUE(block.ok()) << block.status().ToString();
  return std::move(block).value();
}

TEST(MemoryBudgetTest, Charge_StopsAtTheLimitAndNeverOverflows) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.TryCharge(60));
  EXPECT_FALSE(budget.TryCharge(41));
  EXPECT_TRUE(budget.TryCharge(40));
  EXPECT_FALSE(budget.TryCharge(1));
  EXPECT_FALSE(budget.TryCharge(SIZE_MAX));
  EXPECT_TRUE(budget.TryCharge(0));
  EXPECT_EQ(budget.Release(60), 40u);
  EXPECT_EQ(budget.used(), 40u);
  EXPECT_EQ(budget.byte_size_max(), 100u);
}

TEST(MemoryBudgetDeathTest, ReleaseOfMoreThanWasCharged_Dies) {
  MemoryBudget budget(100);
  ASSERT_TRUE(budget.TryCharge(10));
  EXPECT_DEATH(budget.Release(11), "check failed");
}

TEST(MemoryBudgetTest, ManyThreads_NeverExceedTheLimit) {
  MemoryBudget budget(3);
  std::atomic<int> holders{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 5000; ++n) {
        if (budget.TryCharge(1)) {
          EXPECT_LE(holders.fetch_add(1) + 1, 3);
          holders.fetch_sub(1);
          budget.Release(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(BlockPoolTest, EverySize_IsAlignedWritableAndReadableBehindItsEnd) {
  BlockPool pool;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65},
        16 * kKiB - 1, 16 * kKiB, 16 * kKiB + 1, 20 * kKiB, 20 * kKiB + 1, kLarge, kMiB,
        kMiB + kMiB / 4, kMiB + kMiB / 4 + 1, 5 * kMiB}) {
    const MutableBuffer block = Allocated(pool, size);
    EXPECT_EQ(block.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % BlockPool::kAlignment, 0u) << size;
    std::memset(block.data(), 0x5a, size);
    const volatile std::byte* behind = block.data() + size;
    for (std::size_t i = 0; i < BlockPool::kPadding; ++i) {
      static_cast<void>(behind[i]);
    }
  }
}

TEST(BlockPoolTest, Charge_CoversTheBlockAndAtMostAQuarterAndAPageMore) {
  BlockPool pool;
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const std::size_t size = random() % (std::size_t{1} << (random() % 26));
    const MutableBuffer block = Allocated(pool, size);
    const std::size_t charged = pool.in_use_byte_size();
    EXPECT_GE(charged, size + BlockPool::kPadding);
    EXPECT_LE(charged, size + size / 4 + 8 * kKiB) << size;
  }
  EXPECT_EQ(pool.in_use_byte_size(), 0u);
}

TEST(BlockPoolTest, LargeBlock_IsReusedUntouched) {
  BlockPool pool;
  std::byte* first;
  {
    const MutableBuffer block = Allocated(pool, kLarge);
    first = block.data();
    std::memset(first, 0x77, kLarge);
  }
  EXPECT_GE(pool.idle_byte_size(), kLarge);
  EXPECT_EQ(pool.in_use_byte_size(), 0u);
  const MutableBuffer again = Allocated(pool, kLarge - 1000);  // of the same class
  EXPECT_EQ(again.data(), first);
  EXPECT_EQ(again.data()[again.size() - 1], std::byte{0x77});
  EXPECT_EQ(pool.idle_byte_size(), 0u);
}

TEST(BlockPoolTest, SteadyLoadOfLargeBodies_FaultsNoPages) {
  BlockPool pool;
  std::memset(Allocated(pool, kLarge).data(), 1, kLarge);
  rusage before{};
  getrusage(RUSAGE_THREAD, &before);
  for (int i = 0; i < 200; ++i) {
    std::memset(Allocated(pool, kLarge).data(), i, kLarge);
  }
  rusage after{};
  getrusage(RUSAGE_THREAD, &after);
  // 200 fresh blocks would be 29,400 faults; a sanitizer's own bookkeeping may cause a few.
  EXPECT_LT(after.ru_minflt - before.ru_minflt, 1000);
}

TEST(BlockPoolTest, SpentBudget_RefusesUntilABlockIsReleased) {
  BlockPool pool({.in_use_byte_size_max = kMiB, .idle_byte_size_max = kMiB});
  auto block = std::make_unique<MutableBuffer>(Allocated(pool, 700 * kKiB));
  const auto refused = pool.Allocate(400 * kKiB);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kResourceExhausted);
  EXPECT_FALSE(pool.Allocate(kMiB).ok());
  block.reset();
  EXPECT_TRUE(pool.Allocate(400 * kKiB).ok());
  EXPECT_EQ(pool.in_use_byte_size(), 0u);
}

TEST(BlockPoolTest, AbsurdSizes_AreRefusedWithoutCharge) {
  BlockPool pool({.in_use_byte_size_max = SIZE_MAX, .idle_byte_size_max = SIZE_MAX});
  for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX / 2, std::size_t{1} << 47}) {
    EXPECT_EQ(pool.Allocate(size).status().code(), StatusCode::kResourceExhausted) << size;
  }
  EXPECT_EQ(pool.in_use_byte_size(), 0u);
}

TEST(BlockPoolTest, IdleBytes_StayBelowTheirLimit) {
  BlockPool pool({.in_use_byte_size_max = 64 * kMiB, .idle_byte_size_max = 3 * kMiB});
  std::vector<MutableBuffer> blocks;
  for (int i = 0; i < 8; ++i) {
    blocks.push_back(Allocated(pool, kMiB));
  }
  blocks.clear();
  EXPECT_LE(pool.idle_byte_size(), 3 * kMiB);
  EXPECT_GE(pool.idle_byte_size(), kMiB);
  Allocated(pool, 8 * kMiB);  // alone above the limit: never kept
  EXPECT_LE(pool.idle_byte_size(), 3 * kMiB);
}

TEST(BlockPoolTest, IdleBlocksOfOtherSizes_MakeRoomForTheSizeInUse) {
  BlockPool pool({.in_use_byte_size_max = 64 * kMiB, .idle_byte_size_max = 4 * kMiB});
  {
    std::vector<MutableBuffer> blocks;
    for (int i = 0; i < 10; ++i) {
      blocks.push_back(Allocated(pool, 300 * kKiB));
    }
  }
  const std::byte* first = Allocated(pool, 2 * kMiB).data();
  EXPECT_LE(pool.idle_byte_size(), 4 * kMiB);
  EXPECT_EQ(Allocated(pool, 2 * kMiB).data(), first);
}

TEST(BlockPoolTest, Trim_GivesAllIdleBytesBack) {
  BlockPool pool;
  Allocated(pool, kLarge);
  Allocated(pool, 4 * kMiB);
  EXPECT_GT(pool.idle_byte_size(), 0u);
  pool.Trim();
  EXPECT_EQ(pool.idle_byte_size(), 0u);
}

TEST(BlockPoolTest, Blocks_OutliveTheirPool) {
  Buffer small;
  Buffer large;
  {
    BlockPool pool;
    MutableBuffer first = Allocated(pool, 100);
    MutableBuffer second = Allocated(pool, kLarge);
    std::memset(first.data(), 'a', 100);
    std::memset(second.data(), 'b', kLarge);
    small = std::move(first).Freeze();
    large = std::move(second).Freeze(1000);
  }
  EXPECT_EQ(small.view(), std::string(100, 'a'));
  EXPECT_EQ(large.view(), std::string(1000, 'b'));
  small = Buffer();
  EXPECT_EQ(large.Slice(999, 1).view(), "b");
}

TEST(BlockPoolTest, Freeze_LeavesTheWriterEmpty) {
  BlockPool pool;
  MutableBuffer writer = Allocated(pool, 10);
  std::memcpy(writer.data(), "0123456789", 10);
  const Buffer buffer = std::move(writer).Freeze(4);
  EXPECT_EQ(buffer.view(), "0123");
  EXPECT_FALSE(writer);  // NOLINT: what is left behind is the point
}

TEST(BlockPoolTest, ManyThreads_GetBlocksOfTheirOwnAndGiveAllBack) {
  constexpr std::size_t kSizes[] = {10, 5000, 20 * kKiB, 100 * kKiB, 300 * kKiB};
  BlockPool pool({.in_use_byte_size_max = 256 * kMiB, .idle_byte_size_max = 512 * kKiB});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&pool, &kSizes, i] {
      std::mt19937 random(static_cast<unsigned>(i));
      std::vector<Buffer> held(6);
      for (int n = 0; n < 1500; ++n) {
        MutableBuffer block = Allocated(pool, kSizes[random() % std::size(kSizes)]);
        const auto mark = static_cast<std::byte>(n);
        block.data()[0] = block.data()[block.size() - 1] = mark;
        Buffer& place = held[random() % held.size()];
        place = std::move(block).Freeze();
        EXPECT_EQ(place.data()[0], mark);
        EXPECT_EQ(place.data()[place.size() - 1], mark);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(pool.in_use_byte_size(), 0u);
  EXPECT_LE(pool.idle_byte_size(), 512 * kKiB);
}

TEST(BlockPoolTest, ThreadsThatReleaseWhileThePoolDies_LeakNothing) {
  for (int round = 0; round < 50; ++round) {
    auto pool = std::make_unique<BlockPool>();
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([block = Allocated(*pool, i == 0 ? 100 : kLarge)]() mutable {
        const Buffer last = std::move(block).Freeze();
      });
    }
    pool.reset();
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
}

TEST(BlockPoolTest, LargeBlocksArePageLocked_WhereThereIsAGpu) {
  const device::testing::FakeCuda cuda;
  auto memory = std::make_shared<device::DeviceMemory>(device::Gpus::Discover(cuda.driver(), 6.0),
                                                       device::DeviceMemoryOptions());
  {
    BlockPool pool({.idle_byte_size_max = 0, .device_memory = memory});
    EXPECT_FALSE(Allocated(pool, 100).page_locked());
    const MutableBuffer block = Allocated(pool, kLarge);
    EXPECT_TRUE(block.page_locked());
    EXPECT_EQ(cuda.locked.size(), 1u);
  }
  EXPECT_TRUE(cuda.locked.empty());
}

TEST(BlockPoolTest, BlocksStayOrdinary_WhenTheyCannotBePageLocked) {
  device::testing::FakeCuda cuda;
  cuda.fail_locks = true;
  BlockPool pool({.device_memory = std::make_shared<device::DeviceMemory>(
                      device::Gpus::Discover(cuda.driver(), 6.0), device::DeviceMemoryOptions())});
  EXPECT_FALSE(Allocated(pool, kLarge).page_locked());
}

#if defined(__SANITIZE_ADDRESS__)
TEST(BlockPoolDeathTest, WriteFarBehindTheEndOrAfterRelease_IsSeenByTheSanitizer) {
  BlockPool pool;
  std::byte* stale;
  {
    const MutableBuffer block = Allocated(pool, kLarge);
    stale = block.data();
    EXPECT_DEATH(stale[kLarge + BlockPool::kPadding] = std::byte{1}, "use-after-poison");
  }
  EXPECT_DEATH(stale[0] = std::byte{1}, "use-after-poison");
}
#endif

}  // namespace
}  // namespace headrace
