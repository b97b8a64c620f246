#include "load/stream_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "load/grpc_frames.h"
#include "protocol/v2_proto.h"

namespace headrace::load {
namespace {

std::string Joined(const std::vector<Buffer>& buffers) {
  std::string text;
  for (const Buffer& buffer : buffers) {
    text += buffer.view();
  }
  return text;
}

std::string Response(bool final, std::size_t output_byte_size) {
  const std::vector<Parameter> parameters = {{"triton_final_response", final}};
  Tensor tensor;
  tensor.dtype = DataType::kUint8;
  tensor.shape = Shape{static_cast<std::int64_t>(output_byte_size)};
  tensor.data = Buffer::FromString(std::string(output_byte_size, 'x'));
  protocol::V2InferResponse response;
  response.model_name = "m";
  response.id = "17";
  response.parameters = &parameters;
  if (output_byte_size > 0) {
    response.outputs.push_back({"OUT", &tensor, true, false});
  }
  return Joined(*protocol::EncodeProtoStreamResponse(response));
}

TEST(StreamAnswerTest, Read_FindsWhatMatters) {
  StreamAnswer answer;
  const std::string some = Response(false, 3);
  ASSERT_TRUE(ReadStreamAnswer(some, answer));
  EXPECT_EQ("17", answer.id);
  EXPECT_TRUE(answer.has_outputs);
  EXPECT_FALSE(answer.final);
  const std::string last = Response(true, 0);
  ASSERT_TRUE(ReadStreamAnswer(last, answer));
  EXPECT_FALSE(answer.has_outputs);
  EXPECT_TRUE(answer.final);
  protocol::V2InferResponse failed;
  failed.id = "4";
  const std::string error = Joined(protocol::EncodeProtoStreamError("no", failed));
  ASSERT_TRUE(ReadStreamAnswer(error, answer));
  EXPECT_EQ("no", answer.error);
  EXPECT_EQ("4", answer.id);
}

TEST(StreamAnswerTest, Read_NeedsTheBeginningOnly) {
  StreamAnswer answer;
  const std::string text = Response(false, 100'000);
  ASSERT_TRUE(ReadStreamAnswer(std::string_view(text).substr(0, 1000), answer));
  EXPECT_EQ("17", answer.id);
  EXPECT_TRUE(answer.has_outputs);
  EXPECT_FALSE(answer.final);
}

TEST(StreamAnswerTest, Read_OutlivesAnyBytes) {
  const std::string text = Response(true, 5);
  StreamAnswer answer;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    ReadStreamAnswer(std::string_view(text).substr(0, size), answer);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const int byte : {0, 0x7f, 0x80, 0xff}) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(byte);
      ReadStreamAnswer(damaged, answer);
    }
  }
  EXPECT_FALSE(ReadStreamAnswer("\x0b", answer));
}

TEST(GrpcFramesTest, Feed_FindsMessagesHoweverTheyAreCut) {
  const std::string bytes("\0\0\0\0\3abc\1\0\0\0\2de\0\0\0\0\0", 20);
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    GrpcFrames frames(2);
    std::vector<std::string> found;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      ASSERT_TRUE(
          frames.Feed(std::string_view(bytes).substr(at, step), [&](const GrpcFrame& frame) {
            found.push_back(std::string(frame.bytes) + "/" + std::to_string(frame.byte_size) +
                            (frame.compressed ? "c" : ""));
          }));
    }
    EXPECT_EQ((std::vector<std::string>{"ab/3", "de/2c", "/0"}), found) << step;
    EXPECT_TRUE(frames.at_boundary());
  }
  GrpcFrames frames;
  EXPECT_FALSE(frames.Feed("HTTP/1.1 400", [](const GrpcFrame&) {}));
}

}  // namespace
}  // namespace headrace::load
