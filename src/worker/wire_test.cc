#include "worker/wire.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "worker/wire_format.h"

namespace headrace::worker {
namespace {

constexpr std::uint64_t kMiddle = 1 << 20, kEnd = 2 << 20;
const std::vector<std::string> kNames = {"OUTPUT0", "OUTPUT1"};

DecodeRules Rules() {
  return {.worker_half = {.begin = kMiddle, .end = kEnd},
          .block = {.begin = 8192, .end = 12288},
          .names = kNames,
          .count_max = 4};
}

std::string Padded(std::string body) {
  body.reserve(body.size() + 64);
  return body;
}

std::span<const std::byte> Bytes(const std::string& body) {
  return std::as_bytes(std::span(body.data(), body.size()));
}

WireTensor Floats(std::uint64_t offset, std::int64_t count) {
  WireTensor tensor;
  tensor.offset = offset;
  tensor.byte_size = static_cast<std::uint64_t>(count) * 4;
  tensor.dtype = DataType::kFp32;
  tensor.shape = Shape{count};
  tensor.name_index = 1;
  return tensor;
}

// One response with `tensor`.
std::string Body(const WireTensor& tensor) {
  std::string body;
  AppendResponseCount(body, 1);
  WireResponse response;
  response.key = 4096;
  response.final = true;
  response.tensors = std::span(&tensor, 1);
  response.extras = R"({"parameters":{"a":1}})";
  AppendResponse(body, response);
  return body;
}

Status Decode(const std::string& body) {
  return WireDecoder().Responses(Bytes(Padded(body)), Rules()).status();
}

TEST(WireHeadTest, ComesBackAsItWas) {
  std::array<std::byte, kHeadByteSize> bytes;
  EncodeHead({.type = MessageType::kExecuted,
              .flags = kFlagBodyInRegion | kFlagBlockFree,
              .body_size = 5,
              .body_offset = 77},
             bytes.data());
  const auto head = DecodeHead(bytes);
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->type, MessageType::kExecuted);
  EXPECT_EQ(head->flags, kFlagBodyInRegion | kFlagBlockFree);
  EXPECT_EQ(head->body_size, 5U);
  EXPECT_EQ(head->body_offset, 77U);
}

TEST(WireHeadTest, EveryDamagedFieldIsRefused) {
  const std::string body = "12345678";
  const auto damaged = [&](const std::function<void(HeadFormat&)>& damage, std::size_t cut = 0) {
    HeadFormat format{.magic = kMagic, .type = 5, .flags = 0, .body_size = 8, .body_offset = 0};
    damage(format);
    std::string packet(reinterpret_cast<const char*>(&format), sizeof(format));
    packet += body;
    packet.resize(packet.size() - cut);
    return DecodeHead(Bytes(packet)).ok();
  };
  EXPECT_TRUE(damaged([](HeadFormat&) {}));
  EXPECT_FALSE(damaged([](HeadFormat&) {}, 1));
  EXPECT_FALSE(damaged([](HeadFormat&) {}, 9));
  EXPECT_FALSE(damaged([](HeadFormat& head) { head.magic ^= 1; }));
  for (const std::uint16_t type : {0, 14, 15, 28, 65535}) {
    EXPECT_FALSE(damaged([type](HeadFormat& head) { head.type = type; })) << type;
  }
  EXPECT_FALSE(damaged([](HeadFormat& head) { head.flags = 2; }));
  EXPECT_FALSE(damaged([](HeadFormat& head) { head.flags = kFlagBodyInRegion; }));
  EXPECT_FALSE(damaged([](HeadFormat& head) { head.body_size = 7; }));
  EXPECT_FALSE(damaged([](HeadFormat& head) { head.body_size = UINT64_MAX; }));
  EXPECT_FALSE(damaged([](HeadFormat& head) { head.body_offset = 64; }));
  EXPECT_FALSE(damaged(
      [](HeadFormat& head) {
        head.flags = kFlagBodyInRegion;
        head.body_size = kBodyByteSizeMax + 1;
      },
      8));
}

TEST(WireDecoderTest, ResponsesComeBackAsTheyWere) {
  std::string body;
  AppendResponseCount(body, 2);
  const std::array<WireTensor, 2> tensors = {Floats(kMiddle, 3), [] {
                                               WireTensor tensor = Floats(8192, 2);
                                               tensor.name_index = kNameFollows;
                                               tensor.name = "other";
                                               return tensor;
                                             }()};
  WireResponse first;
  first.key = 7;
  first.tensors = tensors;
  AppendResponse(body, first);
  WireResponse second;
  second.key = 8;
  second.final = second.error = true;
  second.extras = R"({"error":{}})";
  AppendResponse(body, second);

  WireDecoder decoder;
  body = Padded(std::move(body));
  const auto responses = decoder.Responses(Bytes(body), Rules());
  ASSERT_TRUE(responses.ok()) << responses.status().ToString();
  ASSERT_EQ(responses->size(), 2U);
  EXPECT_EQ((*responses)[0].key, 7U);
  EXPECT_FALSE((*responses)[0].final);
  ASSERT_EQ((*responses)[0].tensors.size(), 2U);
  EXPECT_EQ((*responses)[0].tensors[0].name, "OUTPUT1");
  EXPECT_EQ((*responses)[0].tensors[0].shape, (Shape{3}));
  EXPECT_EQ((*responses)[0].tensors[1].name, "other");
  EXPECT_EQ((*responses)[0].tensors[1].offset, 8192U);
  EXPECT_TRUE((*responses)[1].final && (*responses)[1].error);
  EXPECT_EQ((*responses)[1].extras, R"({"error":{}})");
}

TEST(WireDecoderTest, ACallComesBackAsItWas) {
  std::string body;
  WireTensor tensor = Floats(kMiddle + 64, 1);
  tensor.name_index = kNameFollows;
  tensor.name = "INPUT0";
  WireRequest request;
  request.key = 3;
  request.correlation_id = 4;
  request.timeout_us = 5;
  request.sequence_flags = 3;
  request.tensors = std::span(&tensor, 1);
  request.extras = "{}";
  AppendRequest(body, request);
  WireDecoder decoder;
  body = Padded(std::move(body));
  const auto decoded = decoder.Request(Bytes(body), Rules());
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_EQ(decoded->key, 3U);
  EXPECT_EQ(decoded->correlation_id, 4U);
  EXPECT_EQ(decoded->timeout_us, 5U);
  EXPECT_EQ(decoded->sequence_flags, 3U);
  EXPECT_EQ(decoded->tensors[0].name, "INPUT0");
  EXPECT_EQ(decoded->extras, "{}");
}

TEST(WireDecoderTest, TensorsThatAreNotTheWorkersAreRefused) {
  EXPECT_TRUE(Decode(Body(Floats(kMiddle, 4))).ok());
  EXPECT_TRUE(Decode(Body(Floats(kEnd - 16, 4))).ok());
  EXPECT_TRUE(Decode(Body(Floats(8192, 1024))).ok());
  EXPECT_TRUE(Decode(Body(Floats(0, 0))).ok());  // no bytes are read
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{4096}, kMiddle - 4, kEnd - 12, kEnd, UINT64_MAX - 8}) {
    EXPECT_FALSE(Decode(Body(Floats(offset, 4))).ok()) << offset;
  }
  EXPECT_FALSE(Decode(Body(Floats(8188, 4))).ok());
  EXPECT_FALSE(Decode(Body(Floats(12288 - 12, 4))).ok());
}

TEST(WireDecoderTest, TensorsWhoseSizesDoNotAgreeAreRefused) {
  const auto changed = [](const std::function<void(WireTensor&)>& change) {
    WireTensor tensor = Floats(kMiddle, 4);
    change(tensor);
    return Decode(Body(tensor)).ok();
  };
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.byte_size = 15; }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.byte_size = UINT64_MAX; }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.shape = Shape{-1}; }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.shape = Shape{INT64_MAX, 3}; }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.shape = Shape{INT64_MAX}; }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.dtype = DataType::kInvalid; }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.dtype = static_cast<DataType>(15); }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.dtype = static_cast<DataType>(255); }));
  EXPECT_FALSE(changed([](WireTensor& tensor) { tensor.name_index = 2; }));
  // Elements of BYTES have 4 bytes each at least.
  EXPECT_TRUE(changed([](WireTensor& tensor) { tensor.dtype = DataType::kBytes; }));
  EXPECT_FALSE(changed([](WireTensor& tensor) {
    tensor.dtype = DataType::kBytes;
    tensor.byte_size = 12;
  }));
}

// Whatever the place where a body ends, and whatever follows it.
TEST(WireDecoderTest, BodiesOfAWrongLengthAreRefused) {
  const std::string body = Body(Floats(kMiddle, 4));
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(Decode(body.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(Decode(body + std::string(8, '\0')).ok());
}

TEST(WireDecoderTest, CountsThatCannotBeAreRefused) {
  const auto patched = [](std::size_t offset, std::uint32_t value) {
    std::string body = Body(Floats(kMiddle, 4));
    std::memcpy(body.data() + offset, &value, sizeof(value));
    return Decode(body).ok();
  };
  constexpr std::size_t kResponse = sizeof(CountFormat);
  EXPECT_FALSE(patched(0, 0));  // something follows the last
  EXPECT_FALSE(patched(0, 2));
  EXPECT_FALSE(patched(0, 5));  // more than were asked for
  EXPECT_FALSE(patched(0, UINT32_MAX));
  EXPECT_FALSE(patched(4, 1));                                             // zero
  EXPECT_FALSE(patched(kResponse + offsetof(ResponseFormat, flags), 16));  // unknown
  EXPECT_FALSE(patched(kResponse + offsetof(ResponseFormat, tensor_count), 0));
  EXPECT_FALSE(patched(kResponse + offsetof(ResponseFormat, tensor_count), UINT32_MAX));
  EXPECT_FALSE(patched(kResponse + offsetof(ResponseFormat, extras_size), 0));
  EXPECT_FALSE(patched(kResponse + offsetof(ResponseFormat, extras_size), UINT32_MAX));
  EXPECT_FALSE(patched(kResponse + offsetof(ResponseFormat, zero), 1));
}

TEST(WireDecoderTest, RanksThatAreTooHighAreRefused) {
  std::string body = Body(Floats(kMiddle, 4));
  const std::size_t rank =
      sizeof(CountFormat) + sizeof(ResponseFormat) + offsetof(TensorFormat, rank);
  body[rank] = 17;
  EXPECT_FALSE(Decode(body).ok());
  body[rank] = static_cast<char>(255);
  EXPECT_FALSE(Decode(body).ok());
}

TEST(WireDecoderTest, Numbers_AreAsManyAsTheySay) {
  std::string body;
  const std::array<std::uint64_t, 2> offsets = {4096, 8192};
  AppendRelease(body, offsets);
  WireDecoder decoder;
  const auto numbers = decoder.Numbers(Bytes(body));
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ(std::vector(numbers->begin(), numbers->end()),
            (std::vector<std::uint64_t>{4096, 8192}));
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(decoder.Numbers(Bytes(body).first(size)).ok()) << size;
  }
  body[0] = 3;
  EXPECT_FALSE(decoder.Numbers(Bytes(body)).ok());
}

// Bodies with a few bytes changed at random are refused, or describe tensors that may be read.
TEST(WireDecoderTest, DamagedBodiesNeverLeadOutside) {
  std::mt19937 random(11);
  std::string whole;
  AppendResponseCount(whole, 3);
  WireTensor named = Floats(8192, 16);
  named.name_index = kNameFollows;
  named.name = "a name";
  const std::array<WireTensor, 3> tensors = {Floats(kMiddle, 3), named, Floats(kEnd - 64, 16)};
  for (std::uint64_t key : {1, 2, 3}) {
    WireResponse response;
    response.key = key;
    response.final = true;
    response.tensors = std::span(tensors).first(key);
    response.extras = R"({"parameters":{"a":1}})";
    AppendResponse(whole, response);
  }
  const DecodeRules rules = Rules();
  WireDecoder decoder;
  int accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string body = whole;
    for (std::uint32_t i = random() % 4; i > 0; --i) {
      body[random() % body.size()] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    if (random() % 8 == 0) {
      body.resize(random() % (body.size() + 1));
    }
    body = Padded(std::move(body));
    (void)decoder.Request(Bytes(body), rules);
    (void)decoder.Numbers(Bytes(body));
    const auto responses = decoder.Responses(Bytes(body), rules);
    if (!responses.ok()) {
      continue;
    }
    ++accepted;
    for (const WireResponse& response : *responses) {
      for (const WireTensor& tensor : response.tensors) {
        ASSERT_TRUE(tensor.byte_size == 0 ||
                    rules.worker_half.Holds(tensor.offset, tensor.byte_size) ||
                    rules.block.Holds(tensor.offset, tensor.byte_size));
        ASSERT_TRUE(tensor.shape.ElementCount().has_value());
      }
    }
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace headrace::worker
