#include "tensor/buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace headrace {
namespace {

TEST(BufferTest, Default_IsEmptyAndHasNoOwner) {
  const Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view(), "");
  EXPECT_FALSE(buffer.owner());
}

TEST(BufferTest, FromString_TakesShortAndLongStrings) {
  EXPECT_EQ(Buffer::FromString("").size(), 0u);
  EXPECT_EQ(Buffer::FromString("short").view(), "short");
  std::string text(100'000, 'x');
  const char* bytes = text.data();
  const Buffer buffer = Buffer::FromString(std::move(text));
  EXPECT_EQ(buffer.size(), 100'000u);
  EXPECT_EQ(buffer.view().data(), bytes);  // taken, not copied
}

TEST(BufferTest, CopyOf_IsIndependentOfItsSource) {
  std::string text = "hello";
  const Buffer buffer = Buffer::CopyOf(text);
  text[0] = 'J';
  EXPECT_EQ(buffer.view(), "hello");
  EXPECT_TRUE(Buffer::CopyOf("").empty());
}

TEST(BufferTest, Shared_KeepsTheOwnerUntilTheLastSliceIsGone) {
  auto owner = std::make_shared<std::vector<char>>(std::vector<char>{'a', 'b', 'c', 'd'});
  const std::weak_ptr<std::vector<char>> watch = owner;
  const char* bytes = owner->data();
  Buffer slice;
  {
    const Buffer whole = Buffer::Shared(std::move(owner), bytes, 4);
    slice = whole.Slice(1, 2);
  }
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(slice.view(), "bc");
  slice = Buffer();
  EXPECT_TRUE(watch.expired());
}

TEST(BufferTest, Slice_SharesMemoryAndMayBeEmptyAtEitherEnd) {
  const Buffer buffer = Buffer::FromString("0123456789");
  EXPECT_EQ(buffer.Slice(0, 10).data(), buffer.data());
  EXPECT_EQ(buffer.Slice(2, 5).Slice(1, 3).view(), "345");
  EXPECT_TRUE(buffer.Slice(0, 0).empty());
  EXPECT_TRUE(buffer.Slice(10, 0).empty());
  EXPECT_EQ(buffer.owner().get()->references.load(), 1u);  // the temporaries gave theirs back
}

TEST(BufferDeathTest, SliceBeyondTheEnd_Dies) {
  const Buffer buffer = Buffer::Unowned("0123");
  EXPECT_DEATH(buffer.Slice(5, 0), "check failed");
  EXPECT_DEATH(buffer.Slice(1, 4), "check failed");
  EXPECT_DEATH(buffer.Slice(2, SIZE_MAX), "check failed");
}

TEST(BufferTest, AssignmentToItself_KeepsTheBytes) {
  Buffer buffer = Buffer::FromString("kept");
  const Buffer& same = buffer;
  buffer = same;
  EXPECT_EQ(buffer.view(), "kept");
}

TEST(BufferTest, ManyThreads_ReleaseTheBlockOnce) {
  for (int round = 0; round < 100; ++round) {
    auto owner = std::make_shared<int>(round);
    const std::weak_ptr<int> watch = owner;
    const int* bytes = owner.get();
    Buffer buffer = Buffer::Shared(std::move(owner), bytes, sizeof(int));
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([copy = buffer, round] {
        int value;
        const Buffer slice = copy.Slice(0, sizeof(value));
        std::memcpy(&value, slice.data(), sizeof(value));
        EXPECT_EQ(value, round);
      });
    }
    buffer = Buffer();
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_TRUE(watch.expired());
  }
}

}  // namespace
}  // namespace headrace
