#include "net/data_frame_plan.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace headrace::net {
namespace {

constexpr std::size_t kFrame = 5000;
constexpr std::int32_t kStream = 0x01020305;

std::string Head(std::size_t byte_size, std::uint8_t flags = 0, std::int32_t stream = kStream,
                 std::uint8_t type = NGHTTP2_DATA) {
  std::string head;
  for (const int shift : {16, 8, 0}) {
    head.push_back(static_cast<char>(byte_size >> shift));
  }
  head.push_back(static_cast<char>(type));
  head.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) {
    head.push_back(static_cast<char>(stream >> shift));
  }
  return head;
}

std::string Bytes(char first, std::size_t byte_size) {
  std::string bytes(byte_size, '\0');
  for (std::size_t i = 0; i < byte_size; ++i) {
    bytes[i] = static_cast<char>(first + i % 7);
  }
  return bytes;
}

class DataFramePlanTest : public testing::Test {
 protected:
  // The message's block has room for `room` bytes, of which the current frame brings `current`.
  DataFramePlan Plan(std::size_t current, std::size_t room) {
    block_.assign(room, '.');
    scratch_.assign(1000, '.');
    DataFrameState state;
    state.stream = kStream;
    state.frame_byte_size = kFrame;
    state.current = std::span(block_).first(current);
    state.following = std::span(block_).subspan(current);
    return {state, scratch_};
  }

  // As readv does it.
  static void Read(DataFramePlan& plan, std::string_view bytes) {
    const std::size_t count = bytes.size();
    ASSERT_LE(count, plan.byte_size());
    for (const iovec& piece : plan.pieces()) {
      const std::size_t part = std::min(bytes.size(), piece.iov_len);
      std::memcpy(piece.iov_base, bytes.data(), part);
      bytes.remove_prefix(part);
    }
    plan.Received(count);
  }

  static std::string Joined(const DataFramePlan& plan) {
    std::string joined;
    for (const std::string_view part : plan.parts()) {
      joined += part;
    }
    return joined;
  }

  std::vector<char> block_;
  std::vector<char> scratch_;
};

TEST_F(DataFramePlanTest, Frames_LandInTheBlock_WhenTheyAreAsPlanned) {
  DataFramePlan plan = Plan(100, 100 + kFrame + 300);
  const std::string first = Bytes('a', 100);
  const std::string second = Bytes('b', kFrame);
  const std::string last = Bytes('c', 300);
  const std::string wire =
      first + Head(kFrame) + second + Head(300, NGHTTP2_FLAG_END_STREAM) + last + "behind";
  Read(plan, wire);
  EXPECT_TRUE(plan.as_planned());
  EXPECT_EQ(Joined(plan), wire);
  EXPECT_EQ(std::string(block_.begin(), block_.end()), first + second + last);
  ASSERT_EQ(plan.parts().size(), 6u);
  EXPECT_EQ(plan.parts()[2].data(), block_.data() + 100);
  EXPECT_EQ(plan.parts()[4].data(), block_.data() + 100 + kFrame);
}

TEST_F(DataFramePlanTest, Frames_MayEndAnywhere) {
  const std::string wire = Bytes('a', 100) + Head(kFrame) + Bytes('b', kFrame) + Head(300) +
                           Bytes('c', 300) + Bytes('d', 50);
  for (const std::size_t count :
       {1u, 99u, 100u, 101u, 108u, 109u, 110u, 5109u, 5110u, 5118u, 5119u, 5418u, 5420u}) {
    DataFramePlan plan = Plan(100, 100 + kFrame + 300);
    Read(plan, wire.substr(0, count));
    EXPECT_TRUE(plan.as_planned()) << count;
    EXPECT_EQ(Joined(plan), wire.substr(0, count)) << count;
  }
}

TEST_F(DataFramePlanTest, FirstPiece_IsAHead_BetweenFrames) {
  DataFramePlan plan = Plan(0, kFrame + 1);
  const std::string wire = Head(kFrame) + Bytes('b', kFrame);
  Read(plan, wire);
  EXPECT_TRUE(plan.as_planned());
  EXPECT_EQ(Joined(plan), wire);
  EXPECT_EQ(plan.parts()[1].data(), block_.data());
}

TEST_F(DataFramePlanTest, OtherFrames_AreTakenOutOfTheBlock) {
  const std::string first = Bytes('a', 100);
  const std::string good = Head(kFrame) + Bytes('b', kFrame);
  const std::string tail = Bytes('c', 40);
  for (const std::string& head :
       {Head(kFrame - 1), Head(299), Head(300, NGHTTP2_FLAG_PADDED), Head(300, 0, kStream + 2),
        Head(300, 0, kStream, NGHTTP2_HEADERS)}) {
    DataFramePlan plan = Plan(100, 100 + kFrame + 300);
    const std::string wire = first + good + head + tail;
    Read(plan, wire);
    EXPECT_FALSE(plan.as_planned());
    EXPECT_EQ(Joined(plan), wire);
    ASSERT_EQ(plan.parts().size(), 4u);
    // What came unexpectedly survives whatever becomes of the block.
    std::fill(block_.begin() + 100 + kFrame, block_.end(), '!');
    EXPECT_EQ(plan.parts()[3], head + tail);
  }
}

TEST_F(DataFramePlanTest, EndOfTheStream_IsExpectedOnlyAtTheEndOfTheMessage) {
  DataFramePlan plan = Plan(100, 100 + 2 * kFrame);
  Read(plan, Bytes('a', 100) + Head(kFrame, NGHTTP2_FLAG_END_STREAM) + Bytes('b', kFrame) + "more");
  EXPECT_FALSE(plan.as_planned());
  EXPECT_EQ(plan.parts().size(), 2u);
}

TEST_F(DataFramePlanTest, Plan_IsBounded) {
  DataFramePlan plan = Plan(100, 100 + 40 * kFrame);
  EXPECT_EQ(plan.pieces().size(), 2 * DataFramePlan::kFrameCountMax + 2);
  EXPECT_EQ(plan.byte_size(), 100 + DataFramePlan::kFrameCountMax * (kFrame + 9) + 1000);
  std::string wire = Bytes('a', 100);
  for (std::size_t i = 0; i < DataFramePlan::kFrameCountMax; ++i) {
    wire += Head(kFrame) + Bytes('b', kFrame);
  }
  Read(plan, wire);
  EXPECT_TRUE(plan.as_planned());
  EXPECT_EQ(Joined(plan), wire);
}

TEST_F(DataFramePlanTest, Scratch_IsAllThereIs_WithoutAState) {
  scratch_.assign(1000, '.');
  DataFramePlan plan(DataFrameState(), scratch_);
  ASSERT_EQ(plan.pieces().size(), 1u);
  Read(plan, "anything");
  EXPECT_TRUE(plan.as_planned());
  EXPECT_EQ(Joined(plan), "anything");
}

}  // namespace
}  // namespace headrace::net
