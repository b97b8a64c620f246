#include "net/streamed_output.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace headrace::net {
namespace {

// One end with a small buffer, and what came out of the other.
class StreamedOutputTest : public testing::Test {
 protected:
  StreamedOutputTest() {
    std::array<int, 2> ends;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    stream_ = ByteStream(UniqueFd(ends[0]));
    reader_ = UniqueFd(ends[1]);
    const int small = 4096;
    setsockopt(stream_.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  }
  void Drain(std::size_t byte_size_max = SIZE_MAX) {
    std::array<char, 1000> bytes;
    ssize_t count;
    while (byte_size_max > 0 && (count = ::recv(reader_.get(), bytes.data(),
                                                std::min(bytes.size(), byte_size_max), 0)) > 0) {
      received_.append(bytes.data(), static_cast<std::size_t>(count));
      byte_size_max -= static_cast<std::size_t>(count);
    }
  }
  std::string WriteAll(StreamedOutput& output) {
    while (output.Write(stream_).outcome == GatherOutput::Outcome::kBlocked) {
      Drain(1'500);
    }
    Drain();
    return std::exchange(received_, {});
  }

  ByteStream stream_{UniqueFd()};
  UniqueFd reader_;
  std::string received_;
};

TEST_F(StreamedOutputTest, Pieces_BecomeChunks_AsTheyCome) {
  StreamedOutput output("HEAD\r\n\r\n", StreamCoding::kChunked);
  EXPECT_EQ(WriteAll(output), "HEAD\r\n\r\n");
  output.Append(Buffer::CopyOf("hello"));
  output.Append(Buffer());
  output.Append(Buffer::CopyOf(std::string(26, 'x')));
  EXPECT_EQ(output.unsent_byte_size(), 31u);
  EXPECT_EQ(WriteAll(output), "5\r\nhello\r\n1a\r\n" + std::string(26, 'x') + "\r\n");
  EXPECT_EQ(output.unsent_byte_size(), 0u);
  output.End();
  output.Append(Buffer::CopyOf("late"));
  EXPECT_EQ(WriteAll(output), "0\r\n\r\n");
  EXPECT_EQ(WriteAll(output), "");
}

TEST_F(StreamedOutputTest, Codings_WithoutChunks) {
  StreamedOutput old("H", StreamCoding::kUntilClose);
  old.Append(Buffer::CopyOf("body"));
  EXPECT_FALSE(old.Probe());
  old.End();
  EXPECT_EQ(WriteAll(old), "Hbody");
  StreamedOutput head("H", StreamCoding::kHeadOnly);
  head.Append(Buffer::CopyOf("body"));
  head.End();
  EXPECT_EQ(WriteAll(head), "H");
}

TEST_F(StreamedOutputTest, Probe_IsTheZeroOfTheNextSize_Once) {
  StreamedOutput output("H", StreamCoding::kChunked);
  EXPECT_TRUE(output.Probe());
  EXPECT_FALSE(output.Probe());
  EXPECT_EQ(WriteAll(output), "H0");
  EXPECT_FALSE(output.Probe());
  output.Append(Buffer::CopyOf("ab"));
  output.Append(Buffer::CopyOf("cd"));
  EXPECT_EQ(WriteAll(output), "2\r\nab\r\n2\r\ncd\r\n");
  EXPECT_TRUE(output.Probe());
  EXPECT_EQ(WriteAll(output), "0");
  output.End();
  EXPECT_FALSE(output.Probe());
  EXPECT_EQ(WriteAll(output), "\r\n\r\n");
}

TEST_F(StreamedOutputTest, Write_GoesOnWhereItStopped_ForAnyPieceSize) {
  StreamedOutput output("H", StreamCoding::kUntilClose);
  std::string expected = "H";
  for (std::size_t i = 0; i < 300; ++i) {
    const std::string piece(i * 37 % 5'000, static_cast<char>('a' + i % 26));
    expected += piece;
    output.Append(Buffer::CopyOf(piece));
  }
  output.End();
  EXPECT_EQ(WriteAll(output), expected);
}

TEST_F(StreamedOutputTest, BrokenSocket_IsTold) {
  StreamedOutput output("H", StreamCoding::kChunked);
  reader_.Reset();
  EXPECT_EQ(output.Write(stream_).outcome, GatherOutput::Outcome::kFailed);
}

}  // namespace
}  // namespace headrace::net
