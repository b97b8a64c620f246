#include "load/http_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace headrace::load {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

template <typename T>
std::shared_ptr<const std::string> Packed(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return std::make_shared<const std::string>(std::move(bytes));
}

TensorContent Fp32(const std::string& name = "x") {
  return {name, DataType::kFp32, {1, 3}, Packed<float>({1, 2.5, -3})};
}

class HttpRequestTest : public ::testing::Test {
 protected:
  HttpRequestTest() {
    item_.name = item_.model = "m";
    item_.contents.resize(1);
  }

  // Head and body of the request as it would be sent, with its fields filled.
  std::string Encode(const Outgoing& outgoing = {}, std::uint64_t request_id = 0) {
    auto request = EncodeHttpRequest(target_, item_, 0);
    EXPECT_TRUE(request.ok()) << request.status().message();
    if (!request.ok()) {
      return "";
    }
    encoded_ = *std::move(request);
    std::string text;
    for (std::size_t i = 0; i < encoded_->pieces.size(); ++i) {
      std::string piece(encoded_->pieces[i]);
      if (i == 0) {
        FillFields(encoded_->fields, outgoing, request_id, piece);
      }
      text += piece;
    }
    EXPECT_EQ(text.size(), encoded_->byte_size);
    const std::size_t end = text.find("\r\n\r\n");
    head_ = text.substr(0, end + 4);
    body_ = text.substr(end + 4);
    return text;
  }
  Status Refused() { return EncodeHttpRequest(target_, item_, 0).status(); }

  TargetSpec target_;
  Item item_;
  std::unique_ptr<EncodedRequest> encoded_;
  std::string head_, body_;
};

TEST_F(HttpRequestTest, V2Binary_PutsTensorsBehindTheJson) {
  item_.contents[0].inputs = {Fp32("x"), Fp32("y")};
  Encode();
  const std::string json =
      R"({"parameters":{"binary_data_output":true},"inputs":[)"
      R"({"name":"x","shape":[1,3],"datatype":"FP32","parameters":{"binary_data_size":12}},)"
      R"({"name":"y","shape":[1,3],"datatype":"FP32","parameters":{"binary_data_size":12}}]})";
  EXPECT_EQ(body_, json + *item_.contents[0].inputs[0].bytes + *item_.contents[0].inputs[1].bytes);
  EXPECT_EQ(head_,
            "POST /v2/models/m/infer HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: " +
                std::to_string(body_.size()) +
                "\r\nInference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n\r\n");
}

TEST_F(HttpRequestTest, V2Json_WritesTheElements) {
  target_.binary_input = target_.binary_output = false;
  item_.version = "3";
  item_.contents[0].inputs = {
      Fp32(),
      {"i", DataType::kInt64, {2}, Packed<std::int64_t>({-1, 7})},
      {"s",
       DataType::kBytes,
       {2},
       std::make_shared<const std::string>(std::string("\3\0\0\0a\"b\0\0\0\0", 11))}};
  Encode();
  EXPECT_EQ(body_,
            R"({"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1.0,2.5,-3.0]},)"
            R"({"name":"i","shape":[2],"datatype":"INT64","data":[-1,7]},)"
            R"({"name":"s","shape":[2],"datatype":"BYTES","data":["a\"b",""]}]})");
  EXPECT_THAT(head_, StartsWith("POST /v2/models/m/versions/3/infer HTTP/1.1\r\n"));
  EXPECT_THAT(head_, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(head_, Not(HasSubstr("Inference-Header")));
}

TEST_F(HttpRequestTest, V2_CarriesOutputsParametersPriorityAndTimeout) {
  item_.contents[0].inputs = {Fp32()};
  item_.outputs = {"a", "b"};
  item_.parameters = {{"top_k", "5"}, {"name", "\"x\""}};
  item_.priority = 2;
  item_.timeout_us = 1500;
  Encode();
  EXPECT_THAT(body_, StartsWith(R"({"parameters":{"priority":2,"timeout":1500,"top_k":5,)"
                                R"("name":"x"},"inputs":[)"));
  EXPECT_THAT(body_, HasSubstr(R"(,"outputs":[{"name":"a","parameters":{"binary_data":true}},)"
                               R"({"name":"b","parameters":{"binary_data":true}}]})"));
  target_.binary_output = false;
  Encode();
  EXPECT_THAT(body_, HasSubstr(R"(,"outputs":[{"name":"a"},{"name":"b"}]})"));
}

TEST_F(HttpRequestTest, V2Sequences_FillTheirFields_WithoutAChangeOfLength) {
  item_.contents[0].inputs = {Fp32()};
  item_.sequences.concurrent = 1;
  item_.priority = 1;
  target_.request_ids = true;
  Outgoing outgoing;
  outgoing.sequence_id = 42;
  outgoing.sequence_start = true;
  Encode(outgoing, 0xabcdef);
  EXPECT_THAT(body_, StartsWith(R"({"id":"0000000000abcdef","parameters":{"sequence_id":)"
                                R"(                  42,"sequence_start":true ,)"
                                R"("sequence_end":false,"priority":1,)"));
  const std::size_t size = body_.size();
  outgoing.sequence_id = UINT64_MAX;
  outgoing.sequence_start = false;
  outgoing.sequence_end = true;
  Encode(outgoing);
  EXPECT_EQ(body_.size(), size);
  EXPECT_THAT(body_, HasSubstr(R"("sequence_id":18446744073709551615,"sequence_start":false,)"
                               R"("sequence_end":true )"));
}

TEST_F(HttpRequestTest, LargeTensors_AreNotCopied) {
  auto bytes = std::make_shared<const std::string>(std::string(400'000, '\1'));
  item_.contents[0].inputs = {{"x", DataType::kInt8, {400'000}, bytes}};
  for (const int concurrent : {0, 4}) {
    item_.sequences.concurrent = concurrent;
    Encode();
    EXPECT_EQ(encoded_->pieces.back().data(), bytes->data());
    EXPECT_LT(encoded_->head.size(), 1000U);
  }
}

TEST_F(HttpRequestTest, LargeJson_IsNotCopiedForEachRequestOfASequence) {
  target_.binary_input = false;
  item_.contents[0].inputs = {{"x",
                               DataType::kInt8,
                               {40'000},
                               std::make_shared<const std::string>(std::string(40'000, '\1'))}};
  item_.sequences.concurrent = 1;
  Encode();
  ASSERT_EQ(encoded_->pieces.size(), 2U);
  EXPECT_LT(encoded_->pieces[0].size(), 500U);
}

TEST_F(HttpRequestTest, SmallRequests_AreOnePiece) {
  item_.contents[0].inputs = {Fp32()};
  Encode();
  EXPECT_EQ(encoded_->pieces.size(), 1U);
}

TEST_F(HttpRequestTest, V2Json_RefusesWhatItCannotCarry_ByName) {
  target_.binary_input = false;
  const std::uint32_t nan = 0x7fc00000;
  for (const auto& input :
       {TensorContent{"bad", DataType::kFp16, {1}, Packed<std::uint16_t>({1})},
        TensorContent{"bad", DataType::kFp32, {1}, Packed<std::uint32_t>({nan})},
        TensorContent{"bad", DataType::kInt32, {2}, Packed<std::int32_t>({1})},
        TensorContent{"bad", DataType::kInt32, {1}, nullptr}}) {
    item_.contents[0].inputs = {input};
    const Status status = Refused();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), StartsWith("item 'm', content 0: input 'bad'"));
  }
}

TEST_F(HttpRequestTest, V1_SendsABody_OrInstancesOfTensors) {
  target_.protocol = Protocol::kV1;
  item_.contents[0].inputs = {
      {"x", DataType::kInt32, {2, 2, 1}, Packed<std::int32_t>({1, 2, 3, 4})}};
  Encode();
  EXPECT_EQ(body_, R"({"instances":[[[1],[2]],[[3],[4]]]})");
  EXPECT_THAT(head_, StartsWith("POST /v1/models/m:predict HTTP/1.1\r\n"));
  item_.contents[0].inputs = {{"a", DataType::kInt32, {2}, Packed<std::int32_t>({1, 2})},
                              {"b", DataType::kFp32, {2, 1}, Packed<float>({3, 4})}};
  Encode();
  EXPECT_EQ(body_, R"({"instances":[{"a":1,"b":[3.0]},{"a":2,"b":[4.0]}]})");
  item_.contents[0].body = std::make_shared<const std::string>("{\"instances\":[1]}");
  Encode();
  EXPECT_EQ(body_, "{\"instances\":[1]}");
}

TEST_F(HttpRequestTest, V1_RefusesTensorsWithoutInstances) {
  target_.protocol = Protocol::kV1;
  EXPECT_THAT(Refused().message(), HasSubstr("neither a body nor a tensor"));
  item_.contents[0].inputs = {{"a", DataType::kInt32, {2}, Packed<std::int32_t>({1, 2})},
                              {"b", DataType::kInt32, {1}, Packed<std::int32_t>({1})}};
  EXPECT_THAT(Refused().message(), HasSubstr("input 'b': the first dimension"));
}

TEST_F(HttpRequestTest, BodiesByPath) {
  item_.contents[0].body = std::make_shared<const std::string>("bytes");
  item_.contents[0].content_type = "image/jpeg";
  target_.protocol = Protocol::kTorchServe;
  item_.model = "a b/c";
  item_.version = "1.0";
  Encode();
  EXPECT_THAT(head_, StartsWith("POST /predictions/a%20b%2Fc/1.0 HTTP/1.1\r\n"));
  EXPECT_THAT(head_, HasSubstr("Content-Type: image/jpeg\r\nContent-Length: 5\r\n"));
  EXPECT_EQ(body_, "bytes");
  target_.protocol = Protocol::kInvocations;
  Encode();
  EXPECT_THAT(head_, StartsWith("POST /invocations HTTP/1.1\r\n"));
  target_.protocol = Protocol::kRawHttp;
  target_.path = "/any?x=1";
  Encode();
  EXPECT_THAT(head_, StartsWith("POST /any?x=1 HTTP/1.1\r\n"));
  item_.contents[0].body = nullptr;
  Encode();
  EXPECT_EQ(head_, "GET /any?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n");
}

TEST_F(HttpRequestTest, TorchServeSequences_AreAHeader) {
  target_.protocol = Protocol::kTorchServe;
  item_.contents[0].body = std::make_shared<const std::string>("x");
  item_.sequences.concurrent = 1;
  Outgoing outgoing;
  outgoing.sequence_id = 7;
  Encode(outgoing);
  EXPECT_THAT(head_, HasSubstr("\r\nts_request_sequence_id:                    7\r\n"));
}

TEST_F(HttpRequestTest, BodyProtocols_RefuseTensors) {
  item_.contents[0].inputs = {Fp32()};
  for (const Protocol protocol :
       {Protocol::kTorchServe, Protocol::kInvocations, Protocol::kRawHttp}) {
    target_.protocol = protocol;
    EXPECT_THAT(Refused().message(), HasSubstr("sends a body, and only tensors"));
  }
}

TEST_F(HttpRequestTest, Headers_AreAdded_AndTakeThePlaceOfOurs) {
  item_.contents[0].body = std::make_shared<const std::string>("x");
  target_.protocol = Protocol::kRawHttp;
  target_.headers = {{"host", "other"}, {"Authorization", "Bearer t"}, {"content-type", "text/x"}};
  target_.host = "::1";
  Encode();
  EXPECT_THAT(head_, EndsWith("\r\nhost: other\r\nAuthorization: Bearer t\r\n"
                              "content-type: text/x\r\n\r\n"));
  EXPECT_THAT(head_, Not(HasSubstr("Host: ")));
  EXPECT_THAT(head_, Not(HasSubstr("Content-Type: ")));
  target_.headers.clear();
  Encode();
  EXPECT_THAT(head_, HasSubstr("Host: [::1]:8000\r\n"));
}

TEST_F(HttpRequestTest, Headers_ThatWouldBreakTheRequest_AreRefused) {
  item_.contents[0].body = std::make_shared<const std::string>("x");
  target_.protocol = Protocol::kRawHttp;
  const std::vector<std::pair<std::string, std::string>> bad = {{"A", "x\r\nB: y"},
                                                                {"A B", "x"},
                                                                {"", "x"},
                                                                {"content-length", "3"},
                                                                {"A", std::string(1, '\0')}};
  for (const auto& header : bad) {
    target_.headers = {header};
    EXPECT_EQ(Refused().code(), StatusCode::kInvalidArgument) << header.first;
  }
  target_.headers.clear();
  target_.path = "/a b";
  EXPECT_EQ(Refused().code(), StatusCode::kInvalidArgument);
  target_.path = "";
  item_.contents[0].content_type = "a\r\nb";
  EXPECT_EQ(Refused().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace headrace::load
