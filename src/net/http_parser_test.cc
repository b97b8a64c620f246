#include "net/http_parser.h"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::net {
namespace {

class StringSink final : public HttpParser::BodySink {
 public:
  bool Append(std::string_view bytes) override {
    text.append(bytes);
    return true;
  }
  std::string text;
};

// What a connection would see of `input`, cut at `cuts`: requests in order, then the failure if
// there is one.
struct Transcript {
  std::string text;
  int failure = 0;
  friend bool operator==(const Transcript&, const Transcript&) = default;
};

std::ostream& operator<<(std::ostream& out, const Transcript& transcript) {
  return out << transcript.text << "failure " << transcript.failure;
}

class Reader {
 public:
  explicit Reader(const HttpLimits& limits) : parser_(limits) { Start(); }

  // False once a request has failed.
  bool Feed(std::string_view piece) {
    while (!piece.empty()) {
      HttpParser::Step step;
      if (in_sized_body_) {
        const std::size_t count = std::min<std::size_t>(piece.size(), left_);
        sink_.text.append(piece.substr(0, count));
        left_ -= count;
        step = {left_ == 0 ? HttpParser::Outcome::kComplete : HttpParser::Outcome::kMore, count};
      } else {
        step = in_head_ ? parser_.ParseHead(piece) : parser_.ParseChunks(piece, sink_, 1 << 20);
      }
      if (step.outcome == HttpParser::Outcome::kFailed) {
        transcript_.failure = parser_.failure().status;
        return false;
      }
      piece.remove_prefix(step.consumed);
      if (step.outcome == HttpParser::Outcome::kComplete) {
        OnComplete();
      }
    }
    return true;
  }
  const Transcript& transcript() const { return transcript_; }

 private:
  void Start() {
    head_ = {};
    bytes_ = {};
    sink_.text.clear();
    in_head_ = true;
    in_sized_body_ = false;
    parser_.Start(head_, bytes_);
  }
  void OnComplete() {
    if (in_head_) {
      in_head_ = false;
      left_ = head_.content_length.value_or(0);
      in_sized_body_ = left_ > 0;
      if (head_.chunked || left_ > 0) {
        return;
      }
    }
    transcript_.text.append(HttpMethodName(head_.method)).append(" ").append(head_.target);
    for (const auto& [name, value] : head_.headers) {
      transcript_.text.append("|").append(name).append("=").append(value);
    }
    transcript_.text.append(parser_.keep_alive() ? "|keep" : "|close");
    transcript_.text.append("|").append(sink_.text).append("\n");
    Start();
  }

  HttpParser parser_;
  HttpRequestHead head_;
  std::string bytes_;
  StringSink sink_;
  bool in_head_ = true;
  bool in_sized_body_ = false;
  std::uint64_t left_ = 0;
  Transcript transcript_;
};

Transcript Read(const std::vector<std::string_view>& pieces, const HttpLimits& limits = {}) {
  Reader reader(limits);
  for (const std::string_view piece : pieces) {
    if (!reader.Feed(piece)) {
      break;
    }
  }
  return reader.transcript();
}

Transcript ReadByteByByte(std::string_view input, const HttpLimits& limits = {}) {
  Reader reader(limits);
  for (std::size_t i = 0; i < input.size() && reader.Feed(input.substr(i, 1)); ++i) {
  }
  return reader.transcript();
}

struct Case {
  const char* name;
  std::string input;
  int failure;            // 0: all requests are taken
  const char* text = "";  // of the requests in front of the failure
};

std::string Chunked(std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
}
std::string Sized(std::string_view field, std::string_view body = "hello") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n" + std::string(body);
}
std::string Field(std::string_view field) { return Sized(field, ""); }
std::string Line(std::string_view line) { return std::string(line) + "\r\nHost: a\r\n\r\n"; }

std::vector<Case> Cases() {
  using namespace std::string_literals;
  const char* plain = "GET /|Host=a|keep|\n";
  return {
      {"plain", Line("GET / HTTP/1.1"), 0, plain},
      {"empty line in front", "\r\n" + Line("GET / HTTP/1.1"), 0, plain},
      {"two empty lines in front", "\r\n\r\n" + Line("GET / HTTP/1.1"), 400},
      {"LF in front", "\n" + Line("GET / HTTP/1.1"), 400},
      {"empty value", Field("A:\r\nB: \r\nC: c \t"), 0, "POST /|Host=a|A=|B=|C=c|keep|\n"},
      {"two requests", Line("GET / HTTP/1.1") + Line("GET / HTTP/1.1"), 0,
       "GET /|Host=a|keep|\nGET /|Host=a|keep|\n"},
      {"garbage behind a request (row 25)", Line("GET / HTTP/1.1") + "\x01\x02garbage\r\n\r\n", 400,
       plain},
      {"body of a GET (row 24)",
       "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789" + Line("GET / HTTP/1.1"),
       0, "GET /|Host=a|Content-Length=10|keep|0123456789\nGET /|Host=a|keep|\n"},
      // Rows 1 to 7: Content-Length.
      {"length and chunked", Sized("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
       400},
      {"chunked and length", Sized("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
       400},
      {"two lengths", Sized("Content-Length: 5\r\nContent-Length: 6"), 400},
      {"two equal lengths", Sized("Content-Length: 5\r\nContent-Length: 5"), 400},
      {"length list", Sized("Content-Length: 5, 5"), 400},
      {"empty length", Sized("Content-Length: "), 400},
      {"empty length before a real one", Sized("Content-Length:\r\nContent-Length: 5"), 400},
      {"length +5", Sized("Content-Length: +5"), 400},
      {"length -5", Sized("Content-Length: -5"), 400},
      {"length 0x5", Sized("Content-Length: 0x5"), 400},
      {"length 1_0", Sized("Content-Length: 1_0"), 400},
      {"length 5 5", Sized("Content-Length: 5 5"), 400},
      {"length 1Z", Sized("Content-Length: 1Z"), 400},
      {"length 010 is ten", Sized("Content-Length: 010", "0123456789"), 0,
       "POST /|Host=a|Content-Length=010|keep|0123456789\n"},
      {"length 2^64", Sized("Content-Length: 18446744073709551616"), 400},
      {"length of 400 digits", Sized("Content-Length: " + std::string(400, '9')), 400},
      // Rows 8 to 14: chunks.
      {"chunks",
       Chunked("5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX: y\r\n\r\n") + Line("GET / HTTP/1.1"), 0,
       "POST /|Host=a|Transfer-Encoding=chunked|keep|hello world\nGET /|Host=a|keep|\n"},
      {"Content-Length in the trailers", Chunked("0\r\nContent-Length: 5\r\n\r\n"), 400},
      {"trailers are not merged", Chunked("0\r\nHost: b\r\nAuthorization: x\r\n\r\n"), 0,
       "POST /|Host=a|Transfer-Encoding=chunked|keep|\n"},
      {"chunk size 0x5", Chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size +5", Chunked("+5\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size -0", Chunked("-0\r\n\r\n"), 400},
      {"chunk size 5_0", Chunked("5_0\r\n"), 400},
      {"blank before chunk size", Chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {"blank behind chunk size", Chunked("5 \r\nhello\r\n0\r\n\r\n"), 400},
      {"empty chunk size", Chunked("\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size 2^64-1", Chunked("FFFFFFFFFFFFFFFF\r\nx"), 400},
      {"chunk size 2^64", Chunked("10000000000000000\r\nx"), 400},
      {"chunk beyond the body limit", Chunked("100001\r\nx"), 413},
      {"endless zeros in a chunk size", Chunked(std::string(64 * 1024, '0')), 400},
      {"LF behind chunk size", Chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {"LF behind chunk data", Chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {"CR in chunk line", Chunked("5\rX\nhello\r\n0\r\n\r\n"), 400},
      {"no CRLF behind chunk data", Chunked("5\r\nhelloXX0\r\n\r\n"), 400},
      {"terminator with XX", Chunked("0\r\nXX"), 0},  // the beginning of a trailer: waits for more
      {"CR then X at the end", Chunked("0\r\n\rX"), 400},
      {"large chunk extension", Chunked("5;a=" + std::string(300, 'x') + "\r\nhello\r\n0\r\n\r\n"),
       400},
      {"CR in a chunk extension", Chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {"unbalanced quote in a chunk extension", Chunked("5;a=\"x\r\nhello\r\n0\r\n\r\n"), 400},
      {"1 MiB of trailers", Chunked("0\r\nA: " + std::string(1 << 20, 'x') + "\r\n\r\n"), 400},
      // Rows 10, 11: line ends.
      {"LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"LF behind a field", "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", 400},
      {"LF at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"CR in a field", Field("A: b\rc"), 400},
      {"CR and X at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\rX", 400},
      // Rows 15, 16: Transfer-Encoding.
      {"TE ,chunked", Field("Transfer-Encoding: ,chunked"), 400},
      {"TE chunked,", Field("Transfer-Encoding: chunked,"), 400},
      {"TE identity", Field("Transfer-Encoding: identity"), 501},
      {"TE chunked, chunked", Field("Transfer-Encoding: chunked, chunked"), 400},
      {"TE twice", Field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400},
      {"TE gzip, chunked", Field("Transfer-Encoding: gzip, chunked"), 501},
      {"TE xchunked", Field("Transfer-Encoding: xchunked"), 501},
      {"TE empty", Field("Transfer-Encoding:"), 400},
      {"TE with VT",
       Field("Transfer-Encoding: \x0b"
             "chunked"),
       400},
      {"TE with NBSP",
       Field("Transfer-Encoding: \xa0"
             "chunked"),
       400},
      {"TE with trailing tab", Field("Transfer-Encoding: chunked\t"), 400},
      {"TE on 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      // Rows 17 to 19: fields.
      {"blank before the colon", Field("Content-Length : 5"), 400},
      {"blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"obs-fold", Field("A: b\r\n c"), 400},
      {"obs-fold of an empty value", Field("A:\r\n c"), 400},
      {"no colon", Field("nocolon"), 400},
      {"empty name", Field(": v"), 400},
      {"NUL in a name", Field("a\0b: c"s), 400},
      {"DEL in a name",
       Field("a\x7f"
             "b: c"),
       400},
      {"0x80 in a name", Field("a\x80: c"), 400},
      {"0xff in a name", Field("a\xff: c"), 400},
      {"quote in a name", Field("a\"b: c"), 400},
      {"NUL in a value", Field("a: b\0c"s), 400},
      {"control byte in a value", Field("a: \x01"), 400},
      {"0x80 in a value", Field("a: b\x80"), 0, "POST /|Host=a|a=b\x80|keep|\n"},
      {"name of 256 bytes", Field(std::string(256, 'a') + ": c"), 431},
      {"name of 65,536 bytes", Field(std::string(65'536, 'a') + ": c"), 431},
      // Row 20: sizes.
      {"33 KiB of fields", Field("A: " + std::string(33 * 1024, 'x')), 431},
      {"33 KiB of blanks in a field", Field("A: " + std::string(42 * 1024, ' ') + "x"), 431},
      {"9 KiB request line", Line("GET /" + std::string(9 * 1024, 'x') + " HTTP/1.1"), 414},
      {"8 KiB query (row 22)", Line("GET /?" + std::string(8 * 1024, 'x') + " HTTP/1.1"), 414},
      // Row 21: versions and methods.
      {"HTTP/1.32", Line("GET / HTTP/1.32"), 505},
      {"HTTP/0.9", Line("GET / HTTP/0.9"), 505},
      {"HTTP/2.0", Line("GET / HTTP/2.0"), 505},
      {"HTTP/4294967295.255", Line("GET / HTTP/4294967295.255"), 505},
      {"no version", Line("GET /"), 505},
      {"CR in the version", Line("GET / HTTP/\r\r1.1"), 505},
      {"other protocol", Line("GET / RTSP/1.0"), 400},
      {"quote in the method", Line("G\"T / HTTP/1.1"), 400},
      {"lower-case method", Line("get / HTTP/1.1"), 400},
      {"unknown method", Line("FOO / HTTP/1.1"), 400},
      {"HTTP/2 preface (row 41)", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"TLS ClientHello (row 41)", "\x16\x03\x01\x02"s, 400},
      // Row 22: targets.
      {"absolute form", Line("GET http://a/b HTTP/1.1"), 400},
      {"asterisk of OPTIONS", Line("OPTIONS * HTTP/1.1"), 0, "OPTIONS *|Host=a|keep|\n"},
      {"asterisk of GET", Line("GET * HTTP/1.1"), 400},
      {"no leading slash", Line("GET a/b HTTP/1.1"), 400},
      {"dots are left alone", Line("GET //v2/../%2e%2e%2fv2 HTTP/1.1"), 0,
       "GET //v2/../%2e%2e%2fv2|Host=a|keep|\n"},
      {"%00", Line("GET /a%00b HTTP/1.1"), 400},
      {"%zz", Line("GET /a%zzb HTTP/1.1"), 400},
      {"cut %", Line("GET /a%2 HTTP/1.1"), 400},
      {"fragment", Line("GET /a#b HTTP/1.1"), 400},
      {"0x80 in the target", Line("GET /a\x80 HTTP/1.1"), 400},
      {"CONNECT of a path (row 28)", Line("CONNECT /v2 HTTP/1.1"), 0, "CONNECT /v2|Host=a|keep|\n"},
      // Row 23: Host.
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"no Host on 1.0", "GET / HTTP/1.0\r\n\r\n", 0, "GET /|close|\n"},
      {"two Hosts", Field("Host: a"), 400},
      {"Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"Host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      // Row 27 and what else a head says.
      {"unknown Expect", Field("Expect: 200-ok"), 417},
      {"Connection: close", Field("Connection: close"), 0,
       "POST /|Host=a|Connection=close|close|\n"},
      {"Upgrade is not followed",
       Field("Connection: Upgrade\r\nUpgrade: h2c") + Line("GET / HTTP/1.1"), 0,
       "POST /|Host=a|Connection=Upgrade|Upgrade=h2c|keep|\nGET /|Host=a|keep|\n"},
      {"keep-alive on 1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0,
       "GET /|Connection=keep-alive|keep|\n"},
  };
}

TEST(HttpParserTest, Parse_GivesTheCataloguesVerdict) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(Read({c.input}), (Transcript{c.text, c.failure}));
  }
}

TEST(HttpParserTest, Parse_GivesTheSameEvents_HoweverTheBytesAreCut) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const Transcript expected{c.text, c.failure};
    EXPECT_EQ(ReadByteByByte(c.input), expected);
    const std::string_view input = c.input;
    for (std::size_t cut = 1; cut < std::min<std::size_t>(input.size(), 400); ++cut) {
      ASSERT_EQ(Read({input.substr(0, cut), input.substr(cut)}), expected) << "cut at " << cut;
    }
  }
}

TEST(HttpParserTest, Parse_Refuses_OneFieldMoreThanTheLimit) {
  const auto with_fields = [](int count) {  // and Host
    std::string input = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < count; ++i) {
      input += "A" + std::to_string(i) + ": b\r\n";
    }
    return input + "\r\n";
  };
  EXPECT_EQ(Read({with_fields(100)}).failure, 0);
  EXPECT_EQ(Read({with_fields(101)}).failure, 431);
}

TEST(HttpParserTest, Parse_RefusesTheChunkBeyondTheLimit) {
  HttpLimits limits;
  limits.chunk_count_max = 3;
  const std::string three = "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n";
  EXPECT_EQ(Read({Chunked(three + "0\r\n\r\n")}, limits).failure, 0);
  EXPECT_EQ(Read({Chunked(three + "1\r\nd\r\n0\r\n\r\n")}, limits).failure, 400);
}

TEST(HttpParserTest, Parse_TakesOneMebibyteInSingleBytes) {
  // Linear: with a cost per byte that grew with what is there already, this would not end in this
  // test's time.
  const std::string body((1 << 20) - 1, 'b');
  const std::string input = Chunked("FFFFF\r\n" + body + "\r\n0\r\n\r\n");
  const Transcript transcript = ReadByteByByte(input);
  EXPECT_EQ(transcript.failure, 0);
  EXPECT_GT(transcript.text.size(), body.size());
}

}  // namespace
}  // namespace headrace::net
