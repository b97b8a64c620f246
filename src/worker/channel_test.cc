#include "worker/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace headrace::worker {
namespace {

Channel::Pair MakePair() { return Channel::CreatePair().value(); }

TEST(ChannelTest, APacketArrivesWhole) {
  Channel::Pair pair = MakePair();
  Channel theirs(std::move(pair.theirs));
  const std::string body(kPacketBodyByteSizeMax, 'x');
  ASSERT_TRUE(
      pair.ours.Send({.type = MessageType::kExecute, .body_size = body.size()}, body).value());
  PacketBuffer buffer;
  const auto size = theirs.Receive(buffer).value();
  ASSERT_EQ(size, kHeadByteSize + body.size());
  const auto head = DecodeHead(buffer.first(*size)).value();
  EXPECT_EQ(head.type, MessageType::kExecute);
  EXPECT_EQ(head.body_size, body.size());
  EXPECT_EQ(std::memcmp(buffer.first(*size).data() + kHeadByteSize, body.data(), body.size()), 0);
}

TEST(ChannelTest, BothEndsCloseOnExecution) {
  const Channel::Pair pair = MakePair();
  EXPECT_NE(fcntl(pair.ours.fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(pair.theirs.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(ChannelTest, Receive_SaysNothingCame_AfterATick) {
  Channel::Pair pair = MakePair();
  ASSERT_TRUE(pair.ours.SetTick(kMillisecond).ok());
  PacketBuffer buffer;
  EXPECT_EQ(pair.ours.Receive(buffer).value(), std::nullopt);
}

TEST(ChannelTest, TrySend_IsFalse_WhenNobodyReads) {
  Channel::Pair pair = MakePair();
  const std::string body(kPacketBodyByteSizeMax, 'x');
  bool sent = true;
  for (int i = 0; i < 1000 && sent; ++i) {
    sent = pair.ours.TrySend({.type = MessageType::kReply, .body_size = body.size()}, body).value();
  }
  EXPECT_FALSE(sent);
}

TEST(ChannelTest, TheOtherSidesEndIsUnavailable_OfBothDirections) {
  Channel::Pair pair = MakePair();
  pair.theirs.Reset();
  PacketBuffer buffer;
  EXPECT_EQ(pair.ours.Receive(buffer).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(pair.ours.Send({}, "").status().code(), StatusCode::kUnavailable);
}

TEST(ChannelTest, KnowsWhetherTheOtherSideHasReadEverything) {
  PacketBuffer buffer;
  Channel::Pair unread = MakePair();
  ASSERT_TRUE(unread.ours.Send({}, "body").ok());
  unread.theirs.Reset();
  EXPECT_EQ(unread.ours.Receive(buffer).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(unread.ours.left_unread());
  Channel::Pair sent_again = MakePair();
  ASSERT_TRUE(sent_again.ours.Send({}, "body").ok());
  sent_again.theirs.Reset();
  EXPECT_EQ(sent_again.ours.Send({}, "body").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(sent_again.ours.Receive(buffer).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(sent_again.ours.left_unread()) << "the kernel tells it once, here to Send";
  Channel::Pair all_read = MakePair();
  ASSERT_TRUE(all_read.ours.Send({}, "body").ok());
  char bytes[100];
  ASSERT_GT(read(all_read.theirs.get(), bytes, sizeof bytes), 0);
  all_read.theirs.Reset();
  EXPECT_EQ(all_read.ours.Receive(buffer).status().code(), StatusCode::kUnavailable);
  EXPECT_FALSE(all_read.ours.left_unread());
}

TEST(ChannelTest, WhatTheOtherSideHadSentStillArrives) {
  Channel::Pair pair = MakePair();
  Channel theirs(std::move(pair.theirs));
  ASSERT_TRUE(theirs.Send({.type = MessageType::kHello}, "").value());
  ASSERT_TRUE(pair.ours.Send({.type = MessageType::kExecute}, "").value());
  theirs = Channel();
  PacketBuffer buffer;
  EXPECT_EQ(pair.ours.Receive(buffer).value(), kHeadByteSize);
  EXPECT_EQ(pair.ours.Receive(buffer).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(pair.ours.left_unread());
}

TEST(ChannelTest, APacketThatIsTooLongIsRefused) {
  Channel::Pair pair = MakePair();
  std::string packet(kHeadByteSize + kPacketBodyByteSizeMax + 1, 'x');
  ASSERT_EQ(send(pair.theirs.get(), packet.data(), packet.size(), 0),
            static_cast<ssize_t>(packet.size()));
  PacketBuffer buffer;
  EXPECT_EQ(pair.ours.Receive(buffer).status().code(), StatusCode::kInvalidArgument);
}

TEST(ChannelTest, Shutdown_EndsBothSides) {
  Channel::Pair pair = MakePair();
  pair.ours.Shutdown();
  PacketBuffer buffer;
  EXPECT_EQ(pair.ours.Receive(buffer).status().code(), StatusCode::kUnavailable);
  char byte = 0;
  EXPECT_EQ(read(pair.theirs.get(), &byte, 1), 0);
}

}  // namespace
}  // namespace headrace::worker
