#include "net/response_output.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace headrace::net {
namespace {

std::string Head(const HttpResponse& response, const ResponseFraming& framing) {
  std::string out;
  AppendResponseHead(response, framing, out);
  return out;
}

TEST(ResponseOutputTest, Head_HasLengthAndType) {
  HttpResponse response;
  response.status = 404;
  response.extra_headers = "A: b\r\n";
  response.body = {Buffer::CopyOf("12345"), Buffer::CopyOf("678")};
  EXPECT_EQ(Head(response, {}),
            "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nA: b\r\nContent-Length: "
            "8\r\n\r\n");
  response.content_type = "";
  EXPECT_EQ(Head(response, {.close = true, .prefix_sent = true}),
            "404 Not Found\r\nA: b\r\nConnection: close\r\nContent-Length: 8\r\n\r\n");
}

TEST(ResponseOutputTest, Head_HasNoLength_Without204Body) {
  HttpResponse response;
  response.status = 204;
  response.content_type = "";
  EXPECT_EQ(Head(response, {.http_1_0 = true}),
            "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseOutputTest, Send_GoesOnWhereItStopped_ForAnyPieceSize) {
  std::array<int, 2> ends;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  ByteStream stream{UniqueFd(ends[0])};
  const UniqueFd reader(ends[1]);
  const int small = 4096;
  setsockopt(stream.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  HttpResponse response;
  std::string expected;
  // More buffers than one call takes, of uneven sizes, empty ones among them.
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string piece(i * 37 % 5'000, static_cast<char>('a' + i % 26));
    expected += piece;
    response.body.push_back(Buffer::CopyOf(piece));
  }
  expected = Head(response, {}) + expected;
  ResponseOutput output;
  std::string scratch;
  std::string received;
  std::array<char, 1'000> buffer;
  auto progress = output.Send(stream, std::move(response), {}, scratch);
  std::uint64_t written = progress.byte_size;
  scratch.assign(scratch.size(), '!');  // the head must not be needed any more
  int blocked = 0;
  while (progress.outcome == ResponseOutput::Outcome::kBlocked) {
    ++blocked;
    const ssize_t count = ::recv(reader.get(), buffer.data(), buffer.size(), 0);
    received.append(buffer.data(), static_cast<std::size_t>(count));
    progress = output.Continue(stream);
    written += progress.byte_size;
  }
  EXPECT_EQ(progress.outcome, ResponseOutput::Outcome::kDone);
  for (ssize_t count; (count = ::recv(reader.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    received.append(buffer.data(), static_cast<std::size_t>(count));
  }
  EXPECT_GT(blocked, 1);
  EXPECT_EQ(written, expected.size());
  EXPECT_EQ(received, expected);
}

TEST(ResponseOutputTest, Send_Fails_WhenThePeerIsGone) {
  std::array<int, 2> ends;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  ByteStream stream{UniqueFd(ends[0])};
  UniqueFd(ends[1]).Reset();
  ResponseOutput output;
  std::string scratch;
  EXPECT_EQ(output.Send(stream, HttpResponse(), {}, scratch).outcome,
            ResponseOutput::Outcome::kFailed);
}

}  // namespace
}  // namespace headrace::net
