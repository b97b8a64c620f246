#include "base/small_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace headrace {
namespace {

using Held = std::vector<std::pair<void*, std::size_t>>;

Held Take(std::size_t byte_size, int count) {
  Held held;
  for (int i = 0; i < count; ++i) {
    void* memory = AllocateSmall(byte_size);
    std::memset(memory, i, byte_size);
    held.emplace_back(memory, byte_size);
  }
  return held;
}

void Give(const Held& held) {
  for (const auto& [memory, byte_size] : held) {
    FreeSmall(memory, byte_size);
  }
}

std::size_t DistinctCount(const Held& held) {
  return std::set<std::pair<void*, std::size_t>>(held.begin(), held.end()).size();
}

TEST(SmallMemory, Pieces_AreApartAndAligned_WhateverTheirSize) {
  Held held;
  for (const std::size_t byte_size : {1u, 64u, 65u, 2047u, 2048u, 2049u, 100'000u}) {
    for (const auto& piece : Take(byte_size, 200)) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece.first) % alignof(std::max_align_t), 0u);
      held.push_back(piece);
    }
  }
  EXPECT_EQ(DistinctCount(held), held.size());
  // The bytes that were written are still there: no two pieces overlap.
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto* bytes = static_cast<const unsigned char*>(held[i].first);
    EXPECT_EQ(bytes[0], i % 200);
    EXPECT_EQ(bytes[held[i].second - 1], i % 200);
  }
  Give(held);
}

TEST(SmallMemory, Nothing_MayBeFreedAndAsked) {
  FreeSmall(nullptr, 10);
  FreeSmall(AllocateSmall(0), 0);
}

TEST(SmallMemory, Pieces_AreUsedAgain_WhenAnotherThreadFreesThem) {
  std::set<void*> seen;
  std::size_t taken = 0;
  for (int round = 0; round < 50; ++round) {
    const Held held = Take(320, 100);
    EXPECT_EQ(DistinctCount(held), held.size());
    taken += held.size();
    for (const auto& piece : held) {
      seen.insert(piece.first);
    }
    std::thread([&held] { Give(held); }).join();
  }
  EXPECT_EQ(taken, 5000u);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(seen.size(), 2000u);
#endif
}

TEST(SmallMemory, Pieces_MoveBetweenThreads_WhileBothWork) {
  constexpr int kRounds = 200;
  std::vector<Held> rounds(kRounds);
  for (Held& round : rounds) {
    round = Take(200, 40);
  }
  std::thread other([&rounds] {
    for (const Held& round : rounds) {
      Give(round);
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    Held mine = Take(200, 40);
    EXPECT_EQ(DistinctCount(mine), mine.size());
    Give(mine);
  }
  other.join();
}

class Shape : public SmallObject {
 public:
  virtual ~Shape() = default;
  virtual int Corners() const { return 0; }
};
class Square final : public Shape {
 public:
  int Corners() const override { return corners_[3]; }

 private:
  int corners_[200] = {0, 0, 0, 4};
};

TEST(SmallMemory, Objects_MayBeDeletedByTheirBase) {
  std::vector<std::unique_ptr<Shape>> shapes;
  for (int i = 0; i < 100; ++i) {
    shapes.push_back(std::make_unique<Square>());
  }
  EXPECT_EQ(shapes.back()->Corners(), 4);
}

TEST(SmallMemory, Containers_WorkOverIt) {
  std::vector<int, SmallAllocator<int>> numbers;
  for (int i = 0; i < 10'000; ++i) {
    numbers.push_back(i);
  }
  EXPECT_EQ(numbers[9'999], 9'999);
  const auto shared = std::allocate_shared<std::string>(SmallAllocator<std::string>(), 80, 'x');
  EXPECT_EQ(shared->size(), 80u);
}

}  // namespace
}  // namespace headrace
