#include "load/server_sent_events.h"

#include <gtest/gtest.h>

#include <string>

namespace headrace::load {
namespace {

std::uint32_t CountOf(std::string_view text, std::size_t piece_byte_size) {
  ServerSentEvents events;
  std::uint32_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += piece_byte_size) {
    count += events.Feed(text.substr(at, piece_byte_size));
  }
  return count;
}

TEST(ServerSentEventsTest, CountsBlocksWithData_HoweverTheyAreCut) {
  const struct {
    std::string text;
    std::uint32_t count;
  } cases[] = {
      {"data: a\n\ndata: b\n\n", 2},
      {"data: a\r\n\r\ndata: b\r\n\r\n", 2},
      {"data: a\r\rdata: b\r\r", 2},
      {"data: a\ndata: b\n\n", 1},
      {"data\n\n", 1},
      {"event: x\nid: 1\n\n", 0},
      {": ping\n\n\n\n", 0},
      {"datum: a\n\n", 0},
      {"data: never ended\n", 0},
      {"data: " + std::string(1000, 'x') + "\n\n", 1},
  };
  for (const auto& [text, count] : cases) {
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 5000U}) {
      EXPECT_EQ(CountOf(text, piece), count) << text << " in pieces of " << piece;
    }
  }
}

TEST(ServerSentEventsTest, SeesErrors) {
  ServerSentEvents events;
  events.Feed("data: {\"error");
  EXPECT_FALSE(events.failed());
  events.Feed("\":\"no\"}\n\n");
  EXPECT_TRUE(events.failed());
  ServerSentEvents fine;
  fine.Feed("data: {\"text\":\"{\\\"error\\\":\"}\n\n");
  EXPECT_FALSE(fine.failed());
}

}  // namespace
}  // namespace headrace::load
