// gRPC over HTTP/2: framing, statuses, deadlines, compression, flow control.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include "net/grpc_compression.h"
#include "net/grpc_text.h"
#include "net/testing/http2_client.h"
#include "net/testing/server_fixture.h"

namespace headrace::net {
namespace {

using ::testing::HasSubstr;

TEST(GrpcTextTest, ParseGrpcTimeout_TakesDigitsAndAUnit) {
  EXPECT_EQ(ParseGrpcTimeout("1H"), 3600 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("2M"), 120 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("3S"), 3 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("4m"), 4 * kMillisecond);
  EXPECT_EQ(ParseGrpcTimeout("5u"), 5 * kMicrosecond);
  EXPECT_EQ(ParseGrpcTimeout("00000006n"), 6);
  EXPECT_EQ(ParseGrpcTimeout("0n"), 0);
  EXPECT_EQ(ParseGrpcTimeout("99999999H"), kNever / 2);
  for (const char* bad : {"", "1", "S", "-1S", "+1S", "1s", "1.5S", "123456789S", " 1S", "1 S"}) {
    EXPECT_EQ(ParseGrpcTimeout(bad), std::nullopt) << bad;
  }
}

TEST(GrpcTextTest, PercentEncode_KeepsPrintableAsciiAndItsLimit) {
  EXPECT_EQ(PercentEncode("a b%\n\xc3\xa9", 100), "a b%25%0A%C3%A9");
  EXPECT_EQ(PercentEncode("abc\n", 5), "abc");
  EXPECT_EQ(PercentEncode("abc\n", 6), "abc%0A");
}

TEST(GrpcTextTest, Base64_IsCheckedAndWritten) {
  for (const char* good : {"", "QQ", "QQ==", "QUI", "QUI=", "QUJD", "QQ,QUI=", "QQ, QUJD"}) {
    EXPECT_TRUE(IsBase64(good)) << good;
  }
  for (const char* bad : {"Q", "QQ=", "QUI==", "QU JD", "QQ=A", "Q===", "QUJDR", "Q!=="}) {
    EXPECT_FALSE(IsBase64(bad)) << bad;
  }
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("A"), "QQ");
  EXPECT_EQ(EncodeBase64("AB"), "QUI");
  EXPECT_EQ(EncodeBase64("ABC"), "QUJD");
  EXPECT_EQ(EncodeBase64("\xff\xfe\xfd\xfc"), "//79/A");
}

TEST(GrpcTextTest, Encodings_AreChosenInOrder) {
  EXPECT_EQ(ChooseGrpcEncoding("identity, deflate, gzip"), GrpcEncoding::kGzip);
  EXPECT_EQ(ChooseGrpcEncoding("deflate"), GrpcEncoding::kDeflate);
  EXPECT_EQ(ChooseGrpcEncoding("br,,x"), GrpcEncoding::kIdentity);
  EXPECT_EQ(ParseGrpcEncoding("br"), std::nullopt);
}

class CompressionTest : public testing::TestWithParam<GrpcEncoding> {
 protected:
  Buffer Compress(std::string_view text) {
    auto result =
        CompressMessage(GetParam(), GrpcCompressionLevel::kMedium, {Buffer::CopyOf(text)}, pool_);
    EXPECT_TRUE(result.ok());
    return *result;
  }
  BlockPool pool_;
};

TEST_P(CompressionTest, Message_ComesBack) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) {
    text += static_cast<char>(i % 251 * (i % 249) % 251);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16384}, text.size()}) {
    const std::string_view part = std::string_view(text).substr(0, size);
    const auto back = DecompressMessage(GetParam(), Compress(part), size, pool_);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_EQ(back->view(), part);
  }
}

TEST_P(CompressionTest, Message_IsBounded) {
  const Buffer small = Compress(std::string(1000, 'x'));
  EXPECT_EQ(DecompressMessage(GetParam(), small, 999, pool_).status().code(),
            StatusCode::kResourceExhausted);
  EXPECT_TRUE(DecompressMessage(GetParam(), small, 1000, pool_).ok());
  const Buffer bomb = Compress(std::string(50 << 20, 'x'));
  EXPECT_EQ(DecompressMessage(GetParam(), bomb, 100 << 20, pool_).status().code(),
            StatusCode::kResourceExhausted);
}

TEST_P(CompressionTest, DamagedMessage_IsRefused) {
  const Buffer good = Compress("some text that is compressed");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(DecompressMessage(GetParam(), good.Slice(0, size), 1000, pool_).status().code(),
              StatusCode::kInternal)
        << size;
  }
  EXPECT_EQ(
      DecompressMessage(GetParam(), Buffer::FromString(std::string(good.view()) + "x"), 1000, pool_)
          .status()
          .code(),
      StatusCode::kInternal);
}

INSTANTIATE_TEST_SUITE_P(Encodings, CompressionTest,
                         testing::Values(GrpcEncoding::kGzip, GrpcEncoding::kDeflate));

class GrpcTest : public ServerFixture {
 protected:
  const Http2Answer& Unary(Http2Client& client, std::string body, Http2ClientHeaders more = {},
                           std::string_view path = "/test.Echo/Unary") {
    return client.Call("POST", path, GrpcHeaders(std::move(more)), std::move(body));
  }
};

TEST_F(GrpcTest, Unary_IsAnsweredWithTrailers) {
  Start();
  Http2Client client(port_);
  const Http2Answer& answer = Unary(client, GrpcFrame("hello"));
  EXPECT_EQ(answer.headers.at(":status"), "200");
  EXPECT_EQ(answer.headers.at("content-type"), "application/grpc");
  EXPECT_EQ(answer.headers.at("grpc-accept-encoding"), "identity,deflate,gzip");
  EXPECT_EQ(answer.body, GrpcFrame("hello"));
  EXPECT_EQ(answer.trailers.at("grpc-status"), "0");
  EXPECT_EQ(answer.trailers.at("x-trailer"), "t");
  EXPECT_EQ(answer.trailers.at("x-bin"), "Af8");
  EXPECT_EQ(answer.error_code, NGHTTP2_NO_ERROR);
  EXPECT_EQ(Unary(client, GrpcFrame("")).body, GrpcFrame(""));
  EXPECT_EQ(counters().grpc_calls, 2u);
  EXPECT_EQ(counters().responses, 2u);
}

TEST_F(GrpcTest, Message_InAnyPiecesIsTheSame) {
  Start();
  Http2Client client(port_);
  const std::string frame = GrpcFrame("0123456789abcdef");
  for (std::size_t split = 1; split < frame.size(); ++split) {
    const std::int32_t id =
        client.Start("POST", "/test.Echo/Unary", GrpcHeaders(), frame.substr(0, split), true);
    Settle();
    client.SendMore(id, frame.substr(split), true);
    EXPECT_EQ(client.Wait(id).body, frame);
  }
}

TEST_F(GrpcTest, LargeMessage_IsOneAlignedBuffer) {
  grpc_.aligned_offset = 100;
  Start();
  Http2Client client(port_);
  std::string text(602'112, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>('a' + i % 23);
  }
  const Http2Answer& answer = Unary(client, GrpcFrame(text));
  EXPECT_EQ(answer.body, GrpcFrame(text));
  EXPECT_EQ(answer.status(), "0");
}

// What is read is planned by the frames that a large message has had so far; here other frames
// come.
TEST_F(GrpcTest, LargeMessages_AreWhole_WhenTheirFramesAreMixed) {
  Start();
  Http2Client client(port_);
  constexpr std::size_t kMessage = 400'000;
  constexpr std::size_t kPiece = 16'000;
  constexpr std::size_t kLarge = 3;  // messages of that size
  std::vector<std::string> frames;
  std::vector<std::int32_t> ids;
  for (const char first : {'a', 'h', 'o'}) {
    std::string text(kMessage, first);
    for (std::size_t i = 0; i < text.size(); ++i) {
      text[i] = static_cast<char>(first + i % 7);
    }
    frames.push_back(GrpcFrame(text));
    ids.push_back(client.Start("POST", "/test.Echo/Unary", GrpcHeaders(), "", true));
  }
  // In turn, with small calls between them; the second stream ends in the middle of its message.
  for (std::size_t at = 0; at < frames[0].size(); at += kPiece) {
    const std::size_t round = at / kPiece;
    for (std::size_t i = 0; i < kLarge; ++i) {
      if (i == 1 && round >= 10) {
        if (round == 10) {
          client.Reset(ids[i]);
        }
        continue;
      }
      const std::string_view rest = std::string_view(frames[i]).substr(at);
      client.SendMore(ids[i], rest.substr(0, kPiece), rest.size() <= kPiece);
    }
    if (round % 4 == 3) {
      ids.push_back(client.Start("POST", "/test.Echo/Unary", GrpcHeaders(), GrpcFrame("small")));
    }
  }
  for (std::size_t i = kLarge; i < ids.size(); ++i) {
    EXPECT_EQ(client.Wait(ids[i]).body, GrpcFrame("small"));
  }
  EXPECT_EQ(client.Wait(ids[0]).body, frames[0]);
  EXPECT_EQ(client.Wait(ids[2]).body, frames[2]);
  EXPECT_EQ(client.answer(ids[0]).status(), "0");
  EXPECT_EQ(Unary(client, frames[1]).body, frames[1]);
}

TEST_F(GrpcTest, Refusals_AreTrailersOnly) {
  Start();
  Http2Client client(port_);
  const Http2Answer& answer = Unary(client, GrpcFrame("x"), {}, "/test.Echo/Nothing");
  EXPECT_EQ(answer.headers.at(":status"), "200");
  EXPECT_EQ(answer.headers.at("grpc-status"), "12");
  EXPECT_EQ(answer.headers.at("grpc-message"), "unknown method /test.Echo/Nothing");
  EXPECT_TRUE(answer.trailers.empty());
}

TEST_F(GrpcTest, Faults_EndTheCallOnly) {
  grpc_.message_byte_size_max = 1000;
  Start();
  Http2Client client(port_);
  EXPECT_EQ(Unary(client, "").status(), "12");                               // no message
  EXPECT_EQ(Unary(client, GrpcFrame("a") + GrpcFrame("b")).status(), "12");  // two
  EXPECT_EQ(Unary(client, GrpcFrame("hello").substr(0, 7)).status(), "13");  // cut short
  EXPECT_EQ(Unary(client, GrpcFrame("hello").substr(0, 3)).status(), "13");
  EXPECT_EQ(Unary(client, "\2" + GrpcFrame("hello").substr(1)).status(), "13");  // flag
  EXPECT_EQ(Unary(client, GrpcFrame("hello", true)).status(), "13");  // compressed, no encoding
  EXPECT_EQ(Unary(client, GrpcFrame("hello", true), {{"grpc-encoding", "gzip"}}).status(), "13");
  EXPECT_EQ(Unary(client, GrpcFrame("hello"), {{"grpc-encoding", "br"}}).status(), "12");
  EXPECT_EQ(Unary(client, std::string("\0\xff\xff\xff\xff", 5) + "x").status(), "8");
  EXPECT_EQ(Unary(client, GrpcFrame(std::string(1001, 'x'))).status(), "8");
  EXPECT_EQ(Unary(client, GrpcFrame(std::string(1000, 'x'))).status(), "0");
  EXPECT_EQ(Unary(client, GrpcFrame("x"), {{"grpc-timeout", "soon"}}).status(), "3");
  EXPECT_EQ(Unary(client, GrpcFrame("x"), {{"a-bin", "Q"}}).status(), "3");
  EXPECT_EQ(Unary(client, GrpcFrame("x"), {{"a", "\xc3\xa9"}}).status(), "3");
  EXPECT_EQ(Unary(client, GrpcFrame("x"), {{"a", std::string(17'000, 'x')}}).status(), "8");
  EXPECT_EQ(Unary(client, GrpcFrame("x"), {{"a-bin", "QQ=="}}).status(), "0");
  EXPECT_EQ(counters().connections_open, 1u);
  EXPECT_EQ(counters().requests, counters().responses);
}

TEST_F(GrpcTest, OtherContentTypes_GoToTheHttpHandler) {
  Start();
  Http2Client client(port_);
  EXPECT_EQ(client.Call("POST", "/x", {{"content-type", "application/grpc-web"}}, "y").body,
            "/x:y");
  EXPECT_EQ(client
                .Call("POST", "/test.Echo/Unary", {{"content-type", "application/grpc+proto"}},
                      GrpcFrame("y"))
                .body,
            GrpcFrame("y"));
}

TEST_F(GrpcTest, CompressedMessages_AreTakenAndSent) {
  grpc_.compression = GrpcCompressionLevel::kLow;
  Start();
  Http2Client client(port_);
  const std::string text(5000, 'z');
  for (const auto encoding : {GrpcEncoding::kGzip, GrpcEncoding::kDeflate}) {
    const std::string name(GrpcEncodingName(encoding));
    const auto small =
        CompressMessage(encoding, GrpcCompressionLevel::kHigh, {Buffer::CopyOf(text)}, pool_);
    const Http2Answer& answer = Unary(client, GrpcFrame(small->view(), true),
                                      {{"grpc-encoding", name}, {"grpc-accept-encoding", name}});
    EXPECT_EQ(answer.status(), "0");
    EXPECT_EQ(answer.headers.at("grpc-encoding"), name);
    ASSERT_EQ(answer.body.at(0), '\1');
    const auto back =
        DecompressMessage(encoding, Buffer::CopyOf(answer.body.substr(5)), 10'000, pool_);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->view(), text);
  }
  EXPECT_EQ(Unary(client, GrpcFrame(text)).body, GrpcFrame(text));  // not accepted: not compressed
}

TEST_F(GrpcTest, InflatedMessage_IsBounded) {
  grpc_.message_byte_size_max = 4999;
  Start();
  Http2Client client(port_);
  const auto small = CompressMessage(GrpcEncoding::kGzip, GrpcCompressionLevel::kHigh,
                                     {Buffer::CopyOf(std::string(5000, 'z'))}, pool_);
  EXPECT_EQ(Unary(client, GrpcFrame(small->view(), true), {{"grpc-encoding", "gzip"}}).status(),
            "8");
}

TEST_F(GrpcTest, Deadline_EndsTheCallAndCancelsIt) {
  Start();
  Http2Client client(port_);
  const std::int32_t id =
      client.Start("POST", "/test.Echo/Hold", GrpcHeaders({{"grpc-timeout", "5S"}}), GrpcFrame(""));
  const GrpcCallRef call = grpc_.WaitHeld();
  EXPECT_EQ(call->deadline(), call->begun() + 5 * kSecond);
  Advance(4 * kSecond);
  EXPECT_FALSE(call->cancelled());
  Advance(2 * kSecond);
  EXPECT_TRUE(call->cancelled());
  EXPECT_EQ(client.Wait(id).status(), "4");
  EXPECT_EQ(grpc_.WaitCancelled(), GrpcEcho::kHold);
  EXPECT_EQ(counters().grpc_deadlines, 1u);
  EXPECT_EQ(
      client.Call("POST", "/test.Echo/Hold", GrpcHeaders({{"grpc-timeout", "0n"}}), GrpcFrame(""))
          .status(),
      "4");
  EXPECT_EQ(grpc_.held_count(), 0u);
}

TEST_F(GrpcTest, Reset_CancelsTheCall) {
  Start();
  Http2Client client(port_);
  const std::int32_t id = client.Start("POST", "/test.Echo/Hold", GrpcHeaders(), GrpcFrame("x"));
  const GrpcCallRef call = grpc_.WaitHeld();
  EXPECT_EQ(call->deadline(), kNever);
  client.Reset(id);
  EXPECT_EQ(grpc_.WaitCancelled(), GrpcEcho::kHold);
  EXPECT_TRUE(call->cancelled());
  call->loop().PostFunction([call] {
    call->Send({Buffer::CopyOf("late")});
    call->Finish(OkStatus());
  });
  Settle();
  EXPECT_EQ(Unary(client, GrpcFrame("x")).status(), "0");
}

class EndCodes final : public GrpcCallObserver {
 public:
  void OnEnd(const GrpcCall&, StatusCode code) override {
    const std::lock_guard lock(mutex_);
    codes_.push_back(code);
  }
  std::vector<StatusCode> Read() const {
    const std::lock_guard lock(mutex_);
    return codes_;
  }

 private:
  mutable std::mutex mutex_;  // guards codes_
  std::vector<StatusCode> codes_;
};

TEST_F(GrpcTest, Observer_HearsTheEndOfEachCall_Once) {
  EndCodes codes;
  grpc_.observer = &codes;
  Start();
  Http2Client client(port_);
  EXPECT_EQ(Unary(client, GrpcFrame("x")).status(), "0");
  EXPECT_EQ(Unary(client, GrpcFrame("x"), {}, "/test.Echo/Nothing").status(), "12");
  const std::int32_t id = client.Start("POST", "/test.Echo/Hold", GrpcHeaders(), GrpcFrame("x"));
  const GrpcCallRef call = grpc_.WaitHeld();
  client.Reset(id);
  EXPECT_EQ(grpc_.WaitCancelled(), GrpcEcho::kHold);
  Settle();
  EXPECT_THAT(codes.Read(), ::testing::ElementsAre(StatusCode::kOk, StatusCode::kUnimplemented,
                                                   StatusCode::kCancelled));
}

TEST_F(GrpcTest, Stream_AnswersEachMessageAndEndsBehindTheHalfClose) {
  Start();
  Http2Client client(port_);
  const std::int32_t id = client.Start("POST", "/test.Echo/Stream", GrpcHeaders(),
                                       GrpcFrame("one") + GrpcFrame("two"), true);
  EXPECT_TRUE(client.ReadUntil(
      [&] { return client.answer(id).body == GrpcFrame("one") + GrpcFrame("two"); }));
  Advance(60 * kSecond);  // a stream may be quiet between its messages
  client.SendMore(id, GrpcFrame("three"), true);
  EXPECT_EQ(client.Wait(id).body, GrpcFrame("one") + GrpcFrame("two") + GrpcFrame("three"));
  EXPECT_EQ(client.answer(id).status(), "0");
}

TEST_F(GrpcTest, Stream_IsCutWhenAMessageStandsStill) {
  Start();
  Http2Client client(port_);
  const std::int32_t id =
      client.Start("POST", "/test.Echo/Stream", GrpcHeaders(), GrpcFrame("one").substr(0, 6), true);
  Unary(client, GrpcFrame("x"));
  Advance(16 * kSecond);
  EXPECT_TRUE(client.ReadUntil([&] { return client.answer(id).status() == "4"; }));
  EXPECT_EQ(grpc_.WaitCancelled(), GrpcEcho::kStream);
}

TEST_F(GrpcTest, Unsent_IsBoundedByFlowControl_WhenTheClientDoesNotRead) {
  Start();
  Http2Client client(port_, 65'535, false);
  const std::int32_t id =
      client.Start("POST", "/test.Echo/Flood", GrpcHeaders(), GrpcFrame(""), true);
  EXPECT_TRUE(client.ReadUntil([&] { return client.answer(id).body.size() == 65'535; }));
  Settle();
  EXPECT_LT(grpc_.flood_unsent_max(), 300'000u);
  // It reads again, and the flood goes on.
  std::size_t consumed = 0;
  for (int i = 0; i < 30; ++i) {
    const std::size_t size = client.answer(id).body.size();
    client.Consume(id, size - consumed);
    consumed = size;
    EXPECT_TRUE(client.ReadUntil([&] { return client.answer(id).body.size() > size; }));
  }
  EXPECT_GT(client.answer(id).body.size(), 1'000'000u);
  client.Reset(id);
  EXPECT_EQ(grpc_.WaitCancelled(), GrpcEcho::kFlood);
  EXPECT_LT(grpc_.flood_unsent_max(), 300'000u);
}

TEST_F(GrpcTest, PausedCall_HoldsTheClientBackAndLosesNothing) {
  ListenerOptions options;
  options.http2.stream_window_byte_size = 100'000;
  StartListener(options);
  Http2Client client(port_);
  std::string sent;
  for (int i = 0; i < 1000; ++i) {
    sent += GrpcFrame(std::string(997, static_cast<char>('a' + i % 26)));
  }
  const std::int32_t id = client.Start("POST", "/test.Echo/Paused", GrpcHeaders(), sent);
  // The pause lets one message through at a time, each with all its window behind it.
  for (int i = 0; i < 1000; ++i) {
    if (i % 50 == 0) {
      client.Call("GET", "/ping");  // lets the client see window updates
    }
    while (grpc_.held_count() == 0) {
      client.Call("GET", "/ping");
    }
    const GrpcCallRef call = grpc_.WaitHeld();
    call->loop().PostFunction([call] { call->ResumeReading(); });
  }
  EXPECT_EQ(client.Wait(id).status(), "0");
}

TEST_F(GrpcTest, ClosedConnection_CancelsItsCalls) {
  Start();
  GrpcCallRef call;
  {
    Http2Client client(port_);
    client.Start("POST", "/test.Echo/Hold", GrpcHeaders(), GrpcFrame("x"));
    call = grpc_.WaitHeld();
  }
  EXPECT_EQ(grpc_.WaitCancelled(), GrpcEcho::kHold);
  EXPECT_TRUE(call->cancelled());
}

TEST_F(GrpcTest, FinishBeforeTheClientHasSentAll_StopsIt) {
  Start();
  Http2Client client(port_);
  const std::int32_t id =
      client.Start("POST", "/test.Echo/Nothing", GrpcHeaders(), GrpcFrame("x"), true);
  EXPECT_TRUE(client.ReadUntil([&] { return client.answer(id).status() == "12"; }));
  EXPECT_FALSE(client.answer(id).closed);
  client.SendMore(id, std::string(100'000, 'x'), false);
  EXPECT_EQ(client.Wait(id).error_code, NGHTTP2_NO_ERROR);
  // One that is silent as well.
  const std::int32_t other =
      client.Start("POST", "/test.Echo/Nothing", GrpcHeaders(), GrpcFrame("x"), true);
  EXPECT_TRUE(client.ReadUntil([&] { return client.answer(other).status() == "12"; }));
  Advance(16 * kSecond);
  EXPECT_EQ(client.Wait(other).error_code, NGHTTP2_NO_ERROR);
}

TEST_F(GrpcTest, StatusMessage_IsEncodedAndCut) {
  Start();
  Http2Client client(port_);
  const std::int32_t id = client.Start("POST", "/test.Echo/Hold", GrpcHeaders(), GrpcFrame("x"));
  const GrpcCallRef call = grpc_.WaitHeld();
  call->loop().PostFunction(
      [call] { call->Finish(Internal("{}\n{}", "100%", std::string(10'000, 'x'))); });
  const Http2Answer& answer = client.Wait(id);
  EXPECT_EQ(answer.status(), "13");
  EXPECT_EQ(answer.headers.at("grpc-message").substr(0, 10), "100%25%0Ax");
  EXPECT_LE(answer.headers.at("grpc-message").size(), 4096u);
}

}  // namespace
}  // namespace headrace::net
