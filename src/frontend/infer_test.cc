// Inference from socket to fake model and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "frontend/front_end_fixture.h"
#include "protocol/compression.h"

namespace headrace::frontend {
namespace {

using testing::HasSubstr;

constexpr std::string_view kJsonRequest =
    R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]})";

std::string Floats(std::initializer_list<float> values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

struct BinaryRequest {
  std::string body;
  std::string headers;
};

BinaryRequest MakeBinaryRequest(const std::string& bytes, std::string_view more = "") {
  std::string json = R"({"parameters":{"binary_data_output":true},"inputs":[{"name":"INPUT0",)"
                     R"("datatype":"FP32","shape":[1,)" +
                     std::to_string(bytes.size() / 4) + R"(],"parameters":{"binary_data_size":)" +
                     std::to_string(bytes.size()) + "}}]" + std::string(more) + "}";
  const std::size_t json_size = json.size();
  return {json + bytes, "Inference-Header-Content-Length: " + std::to_string(json_size) + "\r\n"};
}

class InferTest : public FrontEndFixture {
 protected:
  InferTest() : InferTest(FrontEndOptions{}) {}
  explicit InferTest(FrontEndOptions options) : FrontEndFixture(std::move(options)) {
    Serve(IdentityOptions("m"));
  }
};

TEST_F(InferTest, Json_ComesBackAsJson) {
  const WireResponse response = Connect().Post("/v2/models/m/infer", kJsonRequest);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("Content-Type"), "application/json");
  EXPECT_EQ(response.Header("Inference-Header-Content-Length"), std::nullopt);
  EXPECT_EQ(response.body, R"({"model_name":"m","model_version":"1","outputs":[{"name":"OUTPUT0",)"
                           R"("datatype":"FP32","shape":[1,3],"data":[1.0,2.0,3.0]}]})");
}

TEST_F(InferTest, Binary_ComesBackAsBinary_BehindItsJson) {
  const std::string bytes = Floats({1.5f, -2.0f, 3.25f, 0.0f});
  const BinaryRequest request = MakeBinaryRequest(bytes, R"(,"id":"seven")");
  WireClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    const WireResponse response =
        client.Post("/v2/models/m/versions/1/infer", request.body, request.headers);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.Header("Content-Type"), "application/octet-stream");
    const std::string json =
        R"({"id":"seven","model_name":"m","model_version":"1","outputs":[{"name":"OUTPUT0",)"
        R"("datatype":"FP32","shape":[1,4],"parameters":{"binary_data_size":16}}]})";
    EXPECT_EQ(response.Header("Inference-Header-Content-Length"), std::to_string(json.size()));
    EXPECT_EQ(response.body, json + bytes);
  }
}

TEST_F(InferTest, BinaryInput_IsAlignedForTheModel) {
  std::atomic<std::uintptr_t> address{1};
  Serve(IdentityOptions("aligned"), [&](engine::Batch batch) {
    address = reinterpret_cast<std::uintptr_t>(batch.requests[0]->inputs[0].tensor.data.data());
    ExecuteIdentity(std::move(batch));
  });
  for (const std::size_t byte_size : {std::size_t{16}, std::size_t{400'000}}) {
    const BinaryRequest request = MakeBinaryRequest(std::string(byte_size, 'a'));
    ASSERT_EQ(Connect().Post("/v2/models/aligned/infer", request.body, request.headers).status,
              200);
    EXPECT_EQ(address % 64, 0u) << byte_size;
  }
}

TEST_F(InferTest, RawBody_IsTheOneInput) {
  const WireResponse response = Connect().Post("/v2/models/m/infer", Floats({1, 2}),
                                               "Inference-Header-Content-Length: 0\r\n");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(response.body, HasSubstr(R"("shape":[1,2],"parameters":{"binary_data_size":8}}]})"));
  EXPECT_EQ(response.body.substr(response.body.size() - 8), Floats({1, 2}));
}

TEST_F(InferTest, RequestedOutput_DecidesItsForm) {
  const std::string outputs =
      R"(,"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":false}}])";
  const BinaryRequest request = MakeBinaryRequest(Floats({1}), outputs);
  const WireResponse response = Connect().Post("/v2/models/m/infer", request.body, request.headers);
  EXPECT_EQ(response.Header("Content-Type"), "application/json") << response.body;
  EXPECT_THAT(response.body, HasSubstr(R"("data":[1.0])"));
}

TEST_F(InferTest, Classification_NamesTheBestClasses) {
  engine::ModelOptions options = IdentityOptions("labelled");
  options.signature.outputs[0].labels = {"ant", "bee", "cat"};
  Serve(options);
  const WireResponse response = Connect().Post(
      "/v2/models/labelled/infer",
      R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,3],"data":[1,3,2]}],)"
      R"("outputs":[{"name":"OUTPUT0","parameters":{"classification":2}}]})");
  EXPECT_THAT(response.body, HasSubstr(R"("datatype":"BYTES","shape":[1,2],)"
                                       R"("data":["3.000000:1:bee","2.000000:2:cat"])"));
}

TEST_F(InferTest, Refusals_CarryStatusAndText_AndTheConnectionGoesOn) {
  registry_.SetVersion("loading", 1, {engine::ModelState::kLoading, "", nullptr});
  engine::ModelOptions decoupled = IdentityOptions("decoupled");
  decoupled.decoupled = true;
  Serve(decoupled);
  engine::ModelOptions two = IdentityOptions("two");
  two.signature.inputs.push_back(SpecOf("INPUT1", DataType::kFp32, {-1}));
  Serve(two);
  struct Case {
    std::string path, headers, body;
    int status;
    std::string_view error;
  };
  const std::string raw = "Inference-Header-Content-Length: 0\r\n";
  const auto size = [](std::string_view text) {
    return "Inference-Header-Content-Length: " + std::string(text) + "\r\n";
  };
  const std::string json(kJsonRequest);
  WireClient client = Connect();
  for (const Case& test : std::initializer_list<Case>{
           {"no", "", "{}", 404, "Request for unknown model: 'no' is not found"},
           {"m/versions/2", "", "{}", 404, "Request for unknown model: 'm' version 2 is not found"},
           {"m/versions/0", "", "{}", 404, "Request for unknown model: 'm' version 0 is not found"},
           {"loading/versions/1", "", "{}", 503, "version 1 is not at ready state"},
           {"decoupled", "", json, 501, "decoupled transaction policy"},
           {"m", "Content-Encoding: br\r\n", json, 415, "Unsupported compression type"},
           {"m", "Content-Encoding: gzip, gzip\r\n", json, 415, "Unsupported compression type"},
           {"m", "Content-Encoding: gzip\r\n", json, 400, ""},
           {"m", size("999"), json, 400,
            "inference header size should be in range (0, 77), got: 999"},
           {"m", size("-1"), json, 400, "got: -1"},
           {"m", size("5x"), json, 400, "got: 5x"},
           {"m", size("1") + size("1"), json, 400, "Inference-Header-Content-Length"},
           {"m", raw, "abc", 400, "INPUT0"},
           {"two", raw, "abcd", 400, "Raw request must only have 1 input"},
           {"m", "", "", 400, ""},
           {"m", "", "null", 400, ""},
           {"m", "", "{}", 400, ""},
           {"two", "", json, 400, "expected 2 inputs but got 1 inputs for model 'two'"},
           {"m", "",
            R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[9,1],)"
            R"("data":[1,2,3,4,5,6,7,8,9]}]})",
            400, "inference request batch-size must be <= 8 for 'm'"}}) {
    const WireResponse response =
        client.Post("/v2/models/" + test.path + "/infer", test.body, test.headers);
    EXPECT_EQ(response.status, test.status) << test.path << " " << test.headers << response.body;
    EXPECT_THAT(response.body, HasSubstr("{\"error\":\"")) << test.path;
    EXPECT_THAT(response.body, HasSubstr(std::string(test.error))) << test.path;
    EXPECT_EQ(response.Header("Accept-Encoding"),
              test.status == 415 ? std::optional<std::string>("gzip, deflate") : std::nullopt);
    EXPECT_EQ(response.Header("Retry-After"),
              test.status == 503 ? std::optional<std::string>("1") : std::nullopt);
  }
  EXPECT_EQ(client.Post("/v2/models/m/infer", kJsonRequest).status, 200);
}

TEST_F(InferTest, BackendFailure_BecomesItsStatus) {
  Serve(IdentityOptions("failing"), [](engine::Batch batch) {
    for (auto& request : batch.requests) {
      request->Finish(Internal("the \"model\" broke"), engine::FailureReason::kBackend);
    }
  });
  Serve(IdentityOptions("busy"), [](engine::Batch batch) {
    for (auto& request : batch.requests) {
      request->Finish(ResourceExhausted("no memory"), engine::FailureReason::kBackend);
    }
  });
  Serve(IdentityOptions("silent"), [](engine::Batch batch) {
    for (auto& request : batch.requests) {
      request->Finish(OkStatus());
    }
  });
  Serve(IdentityOptions("dropping"), [](engine::Batch) {});
  WireClient client = Connect();
  const WireResponse failing = client.Post("/v2/models/failing/infer", kJsonRequest);
  EXPECT_EQ(failing.status, 500);
  EXPECT_EQ(failing.body, R"({"error":"the \"model\" broke"})");
  const WireResponse busy = client.Post("/v2/models/busy/infer", kJsonRequest);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.Header("Retry-After"), "1");
  EXPECT_EQ(client.Post("/v2/models/silent/infer", kJsonRequest).status, 500);
  EXPECT_EQ(client.Post("/v2/models/dropping/infer", kJsonRequest).status, 500);
}

TEST_F(InferTest, Compression_WorksBothWays) {
  const std::string plain =
      R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,500],"data":[7)" +
      [] {
        std::string rest;
        for (int i = 1; i < 500; ++i) {
          rest += ",7";
        }
        return rest;
      }() +
      "]}]}";
  for (const auto& [name, coding] : {std::pair("gzip", protocol::ContentCoding::kGzip),
                                     std::pair("deflate", protocol::ContentCoding::kDeflate)}) {
    const Buffer packed = *protocol::Deflate({Buffer::CopyOf(plain)}, coding, pool_);
    const std::string headers = "Content-Encoding: " + std::string(name) +
                                "\r\nAccept-Encoding: " + std::string(name) + "\r\n";
    const WireResponse response = Connect().Post("/v2/models/m/infer", packed.view(), headers);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.Header("Content-Encoding"), name);
    const auto answer = protocol::Inflate(Buffer::CopyOf(response.body), coding, 1 << 20, 0, pool_);
    ASSERT_TRUE(answer.ok());
    EXPECT_THAT(std::string(answer->view()), HasSubstr("\"shape\":[1,500],\"data\":[7.0,7.0"));
  }
}

TEST_F(InferTest, CompressedBinary_KeepsTheJsonSizeOfThePlainBody) {
  const BinaryRequest request = MakeBinaryRequest(Floats({1, 2, 3}));
  const Buffer packed =
      *protocol::Deflate({Buffer::CopyOf(request.body)}, protocol::ContentCoding::kGzip, pool_);
  const WireResponse response = Connect().Post("/v2/models/m/infer", packed.view(),
                                               request.headers + "Content-Encoding: gzip\r\n");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body.substr(response.body.size() - 12), Floats({1, 2, 3}));
}

TEST_F(InferTest, Statistics_KnowTheRequest_WhenItsAnswerIsThere) {
  WireClient client = Connect();
  for (int i = 1; i <= 5; ++i) {
    ASSERT_EQ(client.Post("/v2/models/m/infer", kJsonRequest).status, 200);
    EXPECT_THAT(client.Get("/v2/models/m/stats").body,
                HasSubstr("\"success\":{\"count\":" + std::to_string(i) + ","));
  }
}

TEST_F(InferTest, ManyConnections_GetTheirOwnAnswers) {
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([this, c, &wrong] {
      WireClient client = Connect();
      for (int i = 0; i < 50; ++i) {
        const std::string bytes = Floats({static_cast<float>(c), static_cast<float>(i)});
        const BinaryRequest request = MakeBinaryRequest(bytes);
        const WireResponse response =
            client.Post("/v2/models/m/infer", request.body, request.headers);
        if (response.status != 200 || response.body.size() < 8 ||
            response.body.substr(response.body.size() - 8) != bytes) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(InferTest, ClientThatLeaves_CancelsItsRequest) {
  std::promise<std::unique_ptr<engine::InferRequest>> taken;
  Serve(IdentityOptions("slow"),
        [&](engine::Batch batch) { taken.set_value(std::move(batch.requests[0])); });
  std::unique_ptr<engine::InferRequest> request;
  {
    WireClient client = Connect();
    client.Send("POST /v2/models/slow/infer HTTP/1.1\r\nHost: t\r\nContent-Length: " +
                std::to_string(kJsonRequest.size()) + "\r\n\r\n" + std::string(kJsonRequest));
    request = taken.get_future().get();
    EXPECT_FALSE(request->Cancelled());
  }
  const Nanos deadline = Clock::Real().Now() + 10 * kSecond;
  while (!request->Cancelled() && Clock::Real().Now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(request->Cancelled());
  request->Finish(OkStatus());
  EXPECT_EQ(Connect().Post("/v2/models/m/infer", kJsonRequest).status, 200);
}

TEST_F(InferTest, ServerEnds_WhileAnAnswerIsOwed) {
  std::promise<std::unique_ptr<engine::InferRequest>> taken;
  Serve(IdentityOptions("slow"),
        [&](engine::Batch batch) { taken.set_value(std::move(batch.requests[0])); });
  WireClient client = Connect();
  client.Send("POST /v2/models/slow/infer HTTP/1.1\r\nHost: t\r\nContent-Length: " +
              std::to_string(kJsonRequest.size()) + "\r\n\r\n" + std::string(kJsonRequest));
  std::unique_ptr<engine::InferRequest> request = taken.get_future().get();
  request->Finish(Unavailable("going down"));
  EXPECT_EQ(client.Receive().status, 503);
}

class SmallInputTest : public InferTest {
 protected:
  SmallInputTest()
      : InferTest([] {
          FrontEndOptions options;
          options.http_input_byte_size_max = 1000;
          return options;
        }()) {}
};

TEST_F(SmallInputTest, Body_IsRefusedOneByteAboveTheLimit_SizedAndChunked) {
  std::string fitting(kJsonRequest);
  fitting.append(1000 - fitting.size(), ' ');
  EXPECT_EQ(Connect().Post("/v2/models/m/infer", fitting).status, 200);
  const WireResponse sized = Connect().Post("/v2/models/m/infer", fitting + " ");
  EXPECT_EQ(sized.status, 413);
  EXPECT_THAT(sized.body, HasSubstr("--http-max-input-size"));

  const auto chunked = [this](const std::string& body) {
    WireClient client = Connect();
    char size[16];
    std::snprintf(size, sizeof(size), "%zx\r\n", body.size());
    client.Send(
        "POST /v2/models/m/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" +
        std::string(size) + body + "\r\n0\r\n\r\n");
    return client.Receive();
  };
  EXPECT_EQ(chunked(fitting).status, 200);
  EXPECT_EQ(chunked(fitting + " ").status, 413);
}

TEST_F(SmallInputTest, InflatedBody_IsRefusedAboveTheLimit) {
  std::string text(kJsonRequest);
  text.append(100'000, ' ');
  const Buffer packed =
      *protocol::Deflate({Buffer::CopyOf(text)}, protocol::ContentCoding::kGzip, pool_);
  ASSERT_LT(packed.size(), 1000u);
  EXPECT_EQ(
      Connect().Post("/v2/models/m/infer", packed.view(), "Content-Encoding: gzip\r\n").status,
      413);
}

}  // namespace
}  // namespace headrace::frontend
