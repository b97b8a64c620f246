// TorchServe's gRPC services over fake models, without a transport.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "frontend/grpc_fixture.h"
#include "torchserve/apis_fixture.h"
#include "torchserve/grpc_errors.h"
#include "torchserve/grpc_messages.h"
#include "torchserve/grpc_prediction_message.h"
#include "torchserve/open_inference_json.h"

namespace headrace::torchserve {
namespace {

namespace inference = org::pytorch::serve::grpc::inference;
namespace oip = org::pytorch::serve::grpc::openinference;
using frontend::FakeGrpcCall;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::string_view kInference = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/";
constexpr std::string_view kOpen = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/";

class GrpcApisFixture : public ApisFixture {
 protected:
  explicit GrpcApisFixture(ApiOptions options = {.open_inference_protocol = true},
                           bool tokens = false)
      : ApisFixture(std::move(options), AccessWith(tokens)),
        loop_("grpc_test", -1, pool_, Clock::Real()) {
    HEADRACE_CHECK(loop_.Start().ok());
  }
  ~GrpcApisFixture() override {
    DrainModels();
    loop_.Stop();
  }
  static AccessOptions AccessWith(bool tokens) {
    AccessOptions options;
    options.tokens = tokens;
    return options;
  }

  void OnLoop(const std::function<void()>& function) {
    std::promise<void> done;
    loop_.PostFunction([&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }

  // Null if it is refused; then `refusal_` says why.
  std::shared_ptr<FakeGrpcCall> Open(const std::string& path) {
    std::shared_ptr<FakeGrpcCall> call;
    OnLoop([&] {
      net::GrpcRequestHead head;
      head.path = path;
      net::GrpcCallPlan plan = handler().OnCall(head);
      refusal_ = plan.refusal;
      if (refusal_.ok()) {
        call = std::make_shared<FakeGrpcCall>(loop_, path, plan.method,
                                              std::vector<std::pair<std::string, std::string>>());
        calls_.push_back(call);
      }
    });
    return call;
  }
  void Send(const std::shared_ptr<FakeGrpcCall>& call, const google::protobuf::Message& message) {
    OnLoop([&] {
      net::GrpcMessage bytes;
      bytes.push_back(Buffer::FromString(message.SerializeAsString()));
      handler().OnMessage(call, std::move(bytes));
    });
  }

  static inference::PredictionsRequest Request(
      std::string model, std::initializer_list<std::pair<const char*, const char*>> inputs,
      const char* sequence = nullptr) {
    inference::PredictionsRequest request;
    request.set_model_name(std::move(model));
    for (const auto& [name, bytes] : inputs) {
      (*request.mutable_input())[name] = bytes;
    }
    if (sequence != nullptr) {
      request.set_sequence_id(sequence);
    }
    return request;
  }

  Status CallUnary(std::string_view method, const google::protobuf::Message& request,
                   google::protobuf::Message& response) {
    const auto call = Open(std::string(method));
    if (call == nullptr) {
      return refusal_;
    }
    Send(call, request);
    Status status = call->WaitStatus();
    if (status.ok()) {
      EXPECT_TRUE(response.ParseFromString(call->WaitMessages(1).at(0)));
    }
    return status;
  }
  Status Predict(const inference::PredictionsRequest& request, std::string& answer) {
    inference::PredictionResponse response;
    Status status = CallUnary(std::string(kInference) + "Predictions", request, response);
    answer = response.prediction();
    return status;
  }

  net::GrpcHandler& handler() { return apis_.grpc_inference(); }

  net::EventLoop loop_;
  Status refusal_;
  std::vector<std::shared_ptr<FakeGrpcCall>> calls_;
};

const std::string& TextParameter(const engine::InferRequest& request, std::string_view name) {
  for (const Parameter& parameter : request.parameters) {
    if (parameter.name == name) {
      return std::get<std::string>(parameter.value);
    }
  }
  static const std::string none = "(none)";
  return none;
}

// Answers with the parameter of that name.
frontend::ExecuteFunction Show(std::string name) {
  return [name = std::move(name)](engine::Batch batch) {
    for (auto& request : batch.requests) {
      std::string text = TextParameter(*request, name);
      engine::InferResponse response;
      Tensor body;
      body.dtype = DataType::kUint8;
      body.shape = Shape({1, static_cast<std::int64_t>(text.size())});
      body.data = Buffer::FromString(std::move(text));
      response.outputs.push_back({"body", std::move(body)});
      response.final = true;
      request->Send(std::move(response));
      request->Finish(OkStatus());
    }
  };
}

TEST_F(GrpcApisFixture, Predictions_GiveTheInputsAsParts) {
  ServeHandler("show", Show("parts"));
  std::string answer;
  ASSERT_TRUE(Predict(Request("show", {{"data", "abc"}, {"z", "1"}}), answer).ok());
  // A map has no order.
  EXPECT_THAT(answer, testing::AnyOf(R"([{"name":"data","type":"","offset":0,"size":3},)"
                                     R"({"name":"z","type":"","offset":3,"size":1}])",
                                     R"([{"name":"z","type":"","offset":0,"size":1},)"
                                     R"({"name":"data","type":"","offset":1,"size":3}])"));
}

TEST_F(GrpcApisFixture, Predictions_AnswerWithTheBody) {
  ServeHandler("echo");
  std::string answer;
  const std::string large(200'000, 'x');
  ASSERT_TRUE(Predict(Request("echo", {{"data", large.c_str()}}), answer).ok());
  EXPECT_EQ(answer, large);
  ASSERT_TRUE(Predict(Request("echo", {}), answer).ok());
  EXPECT_EQ(answer, "");
}

TEST_F(GrpcApisFixture, Predictions_RefuseInTorchServesWords) {
  ServeHandler("echo");
  std::string answer;
  Status status = Predict(Request("", {{"data", "a"}}), answer);
  EXPECT_EQ(status.ToString(),
            "INTERNAL: Parameter model_name is required.\nBadRequestException.()");
  status = Predict(Request("nope", {{"data", "a"}}), answer);
  EXPECT_EQ(status.ToString(),
            "INTERNAL: Model not found: nope\n"
            "org.pytorch.serve.archive.model.ModelNotFoundException");
  auto versioned = Request("echo", {});
  versioned.set_model_version("2.0");
  status = Predict(versioned, answer);
  EXPECT_EQ(status.ToString(),
            "INTERNAL: Model version: 2.0 does not exist for model: echo\n"
            "org.pytorch.serve.archive.model.ModelVersionNotFoundException");
}

TEST_F(GrpcApisFixture, Predictions_TellAHandlersFailureByItsStatus) {
  ServeHandler("failing", [](engine::Batch batch) {
    for (auto& request : batch.requests) {
      engine::InferResponse response;
      response.final = true;
      response.error = Internal("Prediction failed");
      response.parameters.push_back({"status", std::int64_t{503}});
      request->Send(std::move(response));
      request->Finish(Internal("Prediction failed"));
    }
  });
  std::string answer;
  EXPECT_EQ(Predict(Request("failing", {{"data", "a"}}), answer).ToString(),
            "UNAVAILABLE: Prediction failed\norg.pytorch.serve.http.InternalServerException");
}

// Sends three pieces, the last of which is final.
void ExecutePieces(engine::Batch batch) {
  for (auto& request : batch.requests) {
    for (const char* text : {"a", "b", "c"}) {
      engine::InferResponse response;
      Tensor body;
      body.dtype = DataType::kUint8;
      body.shape = Shape({1, 1});
      body.data = Buffer::FromString(text);
      response.outputs.push_back({"body", std::move(body)});
      response.final = *text == 'c';
      request->Send(std::move(response));
    }
    request->Finish(OkStatus());
  }
}

std::vector<std::string> PredictionsOf(const std::vector<std::string>& messages) {
  std::vector<std::string> predictions;
  for (const std::string& bytes : messages) {
    inference::PredictionResponse response;
    EXPECT_TRUE(response.ParseFromString(bytes));
    predictions.push_back(response.prediction());
  }
  return predictions;
}

TEST_F(GrpcApisFixture, StreamPredictions_SendAMessageForEachPiece) {
  auto options = HandlerOptions("pieces");
  options.decoupled = true;
  Serve(std::move(options), ExecutePieces);
  const auto call = Open(std::string(kInference) + "StreamPredictions");
  Send(call, Request("pieces", {{"data", "x"}}));
  EXPECT_TRUE(call->WaitStatus().ok());
  EXPECT_THAT(PredictionsOf(call->WaitMessages(3)), ElementsAre("a", "b", "c"));
}

TEST_F(GrpcApisFixture, StreamPredictions_OfAPlainHandlerAreOneMessage) {
  ServeHandler("echo");
  const auto call = Open(std::string(kInference) + "StreamPredictions");
  Send(call, Request("echo", {{"data", "x"}}));
  EXPECT_TRUE(call->WaitStatus().ok());
  EXPECT_THAT(PredictionsOf(call->WaitMessages(1)), ElementsAre("x"));
}

TEST_F(GrpcApisFixture, StreamPredictions2_TellsErrorsInMessagesAndGoesOn) {
  ServeHandler("headers", Show("headers"));
  const auto call = Open(std::string(kInference) + "StreamPredictions2");
  Send(call, Request("headers", {{"data", "x"}}));
  Send(call, Request("nope", {{"data", "x"}}, "s"));
  Send(call, Request("headers", {{"data", "x"}}, "t"));
  Send(call, Request("headers", {{"data", "x"}}, "t"));
  OnLoop([&] { handler().OnHalfClose(call); });
  EXPECT_TRUE(call->WaitStatus().ok());
  const auto messages = call->WaitMessages(4);
  ASSERT_THAT(messages, SizeIs(4));
  std::vector<inference::PredictionResponse> responses(4);
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(responses[i].ParseFromString(messages[i]));
  }
  EXPECT_EQ(responses[0].status().code(), 13);
  EXPECT_EQ(responses[0].status().message(), "Parameter sequenceId is required.");
  google::rpc::ErrorInfo info;
  ASSERT_EQ(responses[0].status().details_size(), 1);
  EXPECT_EQ(responses[0].status().details(0).type_url(),
            "type.googleapis.com/google.rpc.ErrorInfo");
  ASSERT_TRUE(responses[0].status().details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "BadRequestException.()");
  EXPECT_EQ(responses[1].sequence_id(), "s");
  EXPECT_EQ(responses[1].status().message(), "Model not found: nope");
  EXPECT_EQ(responses[2].sequence_id(), "t");
  EXPECT_FALSE(responses[2].has_status());
  EXPECT_EQ(responses[2].prediction(),
            R"({"ts_request_sequence_id":"t","ts_request_sequence_start":"true"})");
  EXPECT_EQ(responses[3].prediction(), R"({"ts_request_sequence_id":"t"})");
}

// Holds what executes until the test lets it go.
class Door {
 public:
  void Wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void WaitForOne() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST_F(GrpcApisFixture, Cancel_DropsWhatWaits) {
  Door door;
  std::atomic<int> executed{0};
  ServeHandler("slow", [&](engine::Batch batch) {
    executed += static_cast<int>(batch.requests.size());
    door.Wait();
    ExecuteEcho(std::move(batch));
  });
  const auto running = Open(std::string(kInference) + "Predictions");
  Send(running, Request("slow", {{"data", "1"}}));
  door.WaitForOne();
  const auto waiting = Open(std::string(kInference) + "Predictions");
  Send(waiting, Request("slow", {{"data", "2"}}));
  const auto last = Open(std::string(kInference) + "Predictions");
  Send(last, Request("slow", {{"data", "3"}}));
  OnLoop([&] {
    for (const auto& call : {running, waiting}) {
      call->Cancel();
      handler().OnCancel(call);
    }
  });
  door.Open();
  EXPECT_TRUE(last->WaitStatus().ok());
  EXPECT_EQ(executed, 2);
  EXPECT_FALSE(running->ended());
  EXPECT_FALSE(waiting->ended());
}

TEST_F(GrpcApisFixture, Ping_IsTheBodyOfHttp) {
  inference::TorchServeHealthResponse response;
  google::protobuf::Empty empty;
  ASSERT_TRUE(CallUnary(std::string(kInference) + "Ping", empty, response).ok());
  EXPECT_EQ(response.health(), "{\n  \"status\": \"Healthy\"\n}");
}

TEST_F(GrpcApisFixture, Others_AreTheFrontEnds) {
  EXPECT_NE(Open("/inference.GRPCInferenceService/ServerLive"), nullptr);
  EXPECT_EQ(Open("/nothing/Here"), nullptr);
  EXPECT_EQ(refusal_.code(), StatusCode::kUnimplemented);
}

TEST_F(GrpcApisFixture, OpenInference_GoesThroughTheJsonOfTheEnvelope) {
  ServeHandler("echo", [](engine::Batch batch) {
    for (auto& request : batch.requests) {
      const std::string_view json = request->inputs[0].tensor.data.view();
      EXPECT_EQ(json, R"({"id":"7","model_name":"echo","inputs":[)"
                      R"({"name":"a","shape":[2],"datatype":"FP32","data":[1.5,2.0]},)"
                      R"({"name":"b","shape":[1],"datatype":"BYTES","data":["aGk="]},)"
                      R"({"name":"c","shape":[2],"datatype":"INT16","data":[1,-2]}]})");
      EXPECT_EQ(TextParameter(*request, "parts"),
                fmt::format(R"([{{"name":"body","type":"application/json","offset":0,"size":{}}}])",
                            json.size()));
      engine::InferResponse response;
      Tensor body;
      body.dtype = DataType::kUint8;
      body.data = Buffer::FromString(
          R"({"id": "7", "model_name": "echo", "model_version": "1.0", "outputs": [
             {"name": "a", "shape": [2], "datatype": "FP32", "data": [1.5, 2]},
             {"name": "b", "shape": [1], "datatype": "BYTES", "data": ["cat"]},
             {"name": "c", "shape": [1], "datatype": "INT64", "data": [-3]}]})");
      body.shape = Shape({1, static_cast<std::int64_t>(body.data.size())});
      response.outputs.push_back({"body", std::move(body)});
      response.final = true;
      request->Send(std::move(response));
      request->Finish(OkStatus());
    }
  });
  oip::ModelInferRequest request;
  request.set_model_name("echo");
  request.set_id("7");
  auto* input = request.add_inputs();
  input->set_name("a");
  input->set_datatype("FP32");
  input->add_shape(2);
  input->mutable_contents()->add_fp32_contents(1.5F);
  input->mutable_contents()->add_fp32_contents(2);
  input = request.add_inputs();
  input->set_name("b");
  input->set_datatype("BYTES");
  input->add_shape(1);
  input->mutable_contents()->add_bytes_contents("hi");
  input = request.add_inputs();
  input->set_name("c");
  input->set_datatype("INT16");
  input->add_shape(2);
  request.add_raw_input_contents(std::string("\x01\x00\xfe\xff", 4));
  oip::ModelInferResponse response;
  const Status status = CallUnary(std::string(kOpen) + "ModelInfer", request, response);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(response.id(), "7");
  EXPECT_EQ(response.model_version(), "1.0");
  ASSERT_EQ(response.outputs_size(), 3);
  EXPECT_THAT(response.outputs(0).contents().fp32_contents(), ElementsAre(1.5F, 2.0F));
  EXPECT_THAT(response.outputs(1).contents().bytes_contents(), ElementsAre("cat"));
  EXPECT_THAT(response.outputs(2).contents().int64_contents(), ElementsAre(-3));
}

TEST_F(GrpcApisFixture, OpenInference_SaysWhatAHandlerAnswersWrongly) {
  ServeHandler("echo", Show("parts"));
  oip::ModelInferRequest request;
  request.set_model_name("echo");
  oip::ModelInferResponse response;
  const Status status = CallUnary(std::string(kOpen) + "ModelInfer", request, response);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("service_envelope=kservev2"));
}

TEST_F(GrpcApisFixture, OpenInference_TellsReadiness) {
  ServeHandler("echo");
  oip::ModelReadyRequest request;
  request.set_name("echo");
  oip::ModelReadyResponse response;
  ASSERT_TRUE(CallUnary(std::string(kOpen) + "ModelReady", request, response).ok());
  EXPECT_TRUE(response.ready());
  request.set_name("nope");
  EXPECT_EQ(CallUnary(std::string(kOpen) + "ModelReady", request, response).code(),
            StatusCode::kNotFound);
  oip::ServerMetadataResponse metadata;
  ASSERT_TRUE(
      CallUnary(std::string(kOpen) + "ServerMetadata", oip::ServerMetadataRequest(), metadata)
          .ok());
  EXPECT_EQ(metadata.name(), "Torchserve");
}

class GrpcTokensTest : public GrpcApisFixture {
 protected:
  // An access without keys that nobody can show.
  GrpcTokensTest() : GrpcApisFixture({}, /*tokens=*/true) {}
};

TEST_F(GrpcTokensTest, Calls_NeedTheirToken) {
  for (const std::string& path :
       {std::string(kInference) + "Ping", std::string(kInference) + "Predictions",
        std::string("/inference.GRPCInferenceService/ServerLive")}) {
    EXPECT_EQ(Open(path), nullptr) << path;
    EXPECT_EQ(refusal_.code(), StatusCode::kPermissionDenied);
    EXPECT_EQ(refusal_.message(), Access::token_refusal());
  }
}

TEST(GrpcErrorsTest, Codes_AreTorchServesTable) {
  EXPECT_EQ(GrpcCodeOf(400), StatusCode::kInvalidArgument);
  EXPECT_EQ(GrpcCodeOf(413), StatusCode::kResourceExhausted);
  EXPECT_EQ(GrpcCodeOf(418), StatusCode::kFailedPrecondition);
  EXPECT_EQ(GrpcCodeOf(503), StatusCode::kUnavailable);
  EXPECT_EQ(GrpcCodeOf(507), StatusCode::kInternal);
  EXPECT_EQ(GrpcCodeOf(599), StatusCode::kInternal);
}

TEST(GrpcErrorsTest, StoreErrors_AreThoseOfTheManagementService) {
  const auto told = [](store::StoreFault fault) {
    return GrpcStoreError({fault, "text"}).ToString();
  };
  EXPECT_EQ(told(store::StoreFault::kModelNotFound),
            "NOT_FOUND: text\norg.pytorch.serve.archive.model.ModelNotFoundException");
  EXPECT_EQ(told(store::StoreFault::kConflict),
            "INVALID_ARGUMENT: text\norg.pytorch.serve.http.ConflictStatusException");
  EXPECT_EQ(told(store::StoreFault::kDownload),
            "INVALID_ARGUMENT: text\norg.pytorch.serve.archive.DownloadArchiveException");
  EXPECT_EQ(told(store::StoreFault::kInternal),
            "INTERNAL: text\norg.pytorch.serve.http.InternalServerException");
}

TEST(PredictionMessageTest, Read_RefusesWhatIsNone) {
  const auto read = [](std::string bytes) {
    net::GrpcMessage message;
    message.push_back(Buffer::FromString(std::move(bytes)));
    return ReadPredictionMessage(message).status();
  };
  EXPECT_TRUE(read("\x0a\x01m").ok());
  EXPECT_EQ(read("\x0a\x05m").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(read("\x1a\x03\x12\x09x").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(read(std::string("\x0a\x01\xff")).code(), StatusCode::kInvalidArgument);
  std::string many;
  for (std::size_t i = 0; i <= PredictionMessage::kInputCountMax; ++i) {
    many += std::string("\x1a\x00", 2);
  }
  EXPECT_THAT(read(many).message(), HasSubstr("more than"));
}

}  // namespace
}  // namespace headrace::torchserve
