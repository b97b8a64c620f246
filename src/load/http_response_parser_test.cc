#include "load/http_response_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "load/random.h"

namespace headrace::load {
namespace {

using State = HttpResponseParser::State;

struct Read {
  State state = State::kMore;
  std::uint32_t status = 0, responses = 0;
  bool keep_alive = false;
  std::string body, excerpt;
  std::optional<std::uint64_t> json_byte_size;

  bool operator==(const Read&) const = default;
};

// Feeds `text` in pieces of so many bytes until the parser has an opinion, then the end.
Read ReadIn(HttpResponseParser& parser, std::string_view text, std::size_t piece,
            const HttpResponseParser::Wanted& wanted = {.body = true}) {
  Read read;
  parser.Start(wanted);
  for (std::size_t at = 0; at < text.size() && read.state == State::kMore; at += piece) {
    read.state = parser.Feed(text.substr(at, piece));
    read.responses += parser.TakeResponses();
  }
  if (read.state == State::kMore) {
    read.state = parser.Finish();
  }
  read.status = parser.status();
  read.keep_alive = parser.keep_alive();
  read.body = parser.body();
  read.excerpt = parser.excerpt();
  read.json_byte_size = parser.json_byte_size();
  return read;
}

const std::vector<std::string> kAnswers = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\nINFERENCE-header-content-length: 3\r\nContent-Length: 6\r\n\r\n{} abc",
    "HTTP/1.1 400 Bad\r\ncontent-length: 9\r\nConnection: close\r\n\r\n{\"error\"}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: "
    "1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
};

TEST(HttpResponseParserTest, AnswersAreTheSame_HoweverTheyAreCut) {
  HttpResponseParser parser;
  for (const std::string& answer : kAnswers) {
    const Read whole = ReadIn(parser, answer, answer.size());
    EXPECT_EQ(whole.state, State::kComplete) << answer;
    for (std::size_t piece = 1; piece < answer.size(); ++piece) {
      EXPECT_EQ(ReadIn(parser, answer, piece), whole) << answer << " in pieces of " << piece;
    }
  }
}

TEST(HttpResponseParserTest, KeepsWhatIsAskedFor) {
  HttpResponseParser parser;
  const Read binary = ReadIn(parser, kAnswers[3], 1000);
  EXPECT_EQ(binary.body, "{} abc");
  EXPECT_EQ(binary.json_byte_size, 3U);
  EXPECT_TRUE(binary.keep_alive);
  EXPECT_EQ(ReadIn(parser, kAnswers[3], 1000, {}).body, "");
  const Read bad = ReadIn(parser, kAnswers[4], 1000, {});
  EXPECT_EQ(bad.excerpt, "{\"error\"}");
  EXPECT_FALSE(bad.keep_alive);
  EXPECT_EQ(ReadIn(parser, kAnswers[5], 1000).body, "abcde");
  EXPECT_EQ(ReadIn(parser, kAnswers[6], 1000).responses, 2U);
}

TEST(HttpResponseParserTest, CutAnswers_AreCut_NotComplete) {
  HttpResponseParser parser;
  for (const std::string& answer : kAnswers) {
    if (answer.starts_with("HTTP/1.0")) {
      continue;  // its end is the connection's
    }
    for (std::size_t size = 0; size < answer.size(); ++size) {
      EXPECT_EQ(ReadIn(parser, answer.substr(0, size), 1000).state, State::kCut)
          << answer.substr(0, size);
    }
  }
}

TEST(HttpResponseParserTest, BytesBehindTheAnswer_AreMalformed) {
  HttpResponseParser parser;
  for (const std::string& answer : kAnswers) {
    if (!answer.starts_with("HTTP/1.0")) {
      EXPECT_EQ(ReadIn(parser, answer + "x", 1000).state, State::kMalformed) << answer;
    }
  }
}

TEST(HttpResponseParserTest, Dropped_TakesThePlaceOfBytesThatNobodyWants) {
  HttpResponseParser parser;
  parser.Start({});
  EXPECT_EQ(parser.Feed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"), State::kMore);
  EXPECT_EQ(parser.droppable_byte_size(), 90U);
  EXPECT_EQ(parser.Dropped(60), State::kMore);
  EXPECT_EQ(parser.Dropped(30), State::kComplete);
  parser.Start({.body = true});
  EXPECT_EQ(parser.Feed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), State::kMore);
  EXPECT_EQ(parser.droppable_byte_size(), 0U);
}

TEST(HttpResponseParserTest, DamagedAnswers_HaveAnEnd_TheSameHoweverTheyAreCut) {
  HttpResponseParser parser;
  Random random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string answer = kAnswers[random.Below(kAnswers.size())];
    for (std::uint64_t damage = random.Below(4) + 1; damage > 0; --damage) {
      answer[random.Below(answer.size())] = static_cast<char>(random.Below(256));
    }
    const State whole = ReadIn(parser, answer, answer.size()).state;
    EXPECT_NE(whole, State::kMore);
    EXPECT_EQ(ReadIn(parser, answer, random.Below(answer.size()) + 1).state == State::kComplete,
              whole == State::kComplete)
        << answer;
  }
}

}  // namespace
}  // namespace headrace::load
