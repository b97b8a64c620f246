#include "worker/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace headrace::worker {
namespace {

TEST(ArenaTest, Allocate_GivesAlignedPiecesFromTheLowEnd) {
  Arena arena(4096, 8192);
  EXPECT_EQ(arena.Allocate(1), 4096U);
  EXPECT_EQ(arena.Allocate(65), 4096U + 64);
  EXPECT_EQ(arena.Allocate(0), 4096U + 64 + 128);
  EXPECT_EQ(arena.used_byte_size(), 256U);
}

TEST(ArenaTest, Allocate_RefusesWhatDoesNotFit) {
  Arena arena(0, 256);
  EXPECT_EQ(arena.Allocate(257), std::nullopt);
  EXPECT_EQ(arena.Allocate(UINT64_MAX), std::nullopt);
  EXPECT_EQ(arena.Allocate(256), 0U);
  EXPECT_EQ(arena.Allocate(0), std::nullopt);
}

TEST(ArenaTest, Free_KnowsOnlyTheBeginsOfPiecesInUse) {
  Arena arena(0, 1024);
  ASSERT_EQ(arena.Allocate(128), 0U);
  EXPECT_FALSE(arena.Free(64).has_value());
  EXPECT_FALSE(arena.Free(128).has_value());
  EXPECT_EQ(arena.Free(0)->byte_size, 128U);
  EXPECT_FALSE(arena.Free(0).has_value());
}

TEST(ArenaTest, Free_MergesWithBothNeighbours) {
  Arena arena(0, 192);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(arena.Allocate(64).has_value());
  }
  EXPECT_TRUE(arena.Free(0).has_value());
  EXPECT_TRUE(arena.Free(128).has_value());
  EXPECT_EQ(arena.Allocate(128), std::nullopt);
  EXPECT_TRUE(arena.Free(64).has_value());
  EXPECT_EQ(arena.Allocate(192), 0U);
}

// Pieces never overlap, and when all are back the whole is one again.
TEST(ArenaTest, PiecesStayApart_WhateverTheOrder) {
  std::mt19937 random(7);
  Arena arena(64, 64 + 64 * 200);
  std::vector<Arena::Piece> held;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t byte_size = random() % 1000;
    if (random() % 2 == 0) {
      if (const auto offset = arena.Allocate(byte_size)) {
        for (const Arena::Piece& other : held) {
          ASSERT_TRUE(*offset + byte_size <= other.offset ||
                      other.offset + other.byte_size <= *offset);
        }
        held.push_back({*offset, std::max<std::uint64_t>(byte_size, 1)});
      }
    } else if (!held.empty()) {
      const std::size_t i = random() % held.size();
      ASSERT_TRUE(arena.Free(held[i].offset).has_value());
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  for (const Arena::Piece& piece : held) {
    ASSERT_TRUE(arena.Free(piece.offset).has_value());
  }
  EXPECT_EQ(arena.used_byte_size(), 0U);
  EXPECT_EQ(arena.Allocate(64 * 200), 64U);
}

}  // namespace
}  // namespace headrace::worker
