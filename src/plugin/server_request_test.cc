#include "plugin/server_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "engine/testing/fake_backend.h"
#include "plugin/testing/caller.h"

namespace headrace::plugin {
namespace {

using engine::testing::FakeModel;
using engine::testing::SmallModel;
using ::testing::ElementsAre;
using testing::FakeServer;
using ::testing::HasSubstr;
using testing::Memory;
using testing::Reception;

// Sends the input back as Y, `count` times.
void Echo(engine::InferRequest& request, int count, bool mark_final) {
  for (int i = 0; i < count; ++i) {
    const Buffer& data = request.inputs.at(0).tensor.data;
    Result<MutableBuffer> memory = request.sink().AllocateOutput("Y", data.size());
    if (!memory.ok()) {
      request.Finish(memory.status(), engine::FailureReason::kBackend);
      return;
    }
    std::memcpy(memory->data(), data.data(), data.size());
    engine::InferResponse response;
    response.outputs.push_back({.name = "Y", .tensor = request.inputs[0].tensor});
    response.outputs[0].tensor.data = std::move(*memory).Freeze();
    response.parameters.push_back({"i", std::int64_t{i}});
    response.final = mark_final && i + 1 == count;
    request.Send(std::move(response));
  }
  request.Finish(OkStatus());
}

class ServerRequestTest : public ::testing::Test {
 protected:
  void Serve(std::function<void(engine::InferRequest&)> answer, bool decoupled = false) {
    engine::ModelOptions options = SmallModel();
    options.decoupled = decoupled;
    auto loaded = std::make_unique<FakeModel>([answer](engine::Batch batch) {
      for (auto& request : batch.requests) {
        answer(*request);
      }
    });
    auto model = engine::Model::Start(std::move(options), std::move(loaded), Clock::Real());
    ASSERT_TRUE(model.ok());
    server_.models.SetVersion("small", 1, {engine::ModelState::kReady, "", *model});
  }

  void SetUp() override {
    TRITONSERVER_ResponseAllocatorNew(&allocator_, &Memory::Allocate, &Memory::Release,
                                      &Memory::Start);
  }
  void TearDown() override {
    if (request_ != nullptr) {
      TRITONSERVER_InferenceRequestDelete(request_);
    }
    reception_.reset();
    server_.models.RemoveModel("small");
    EXPECT_EQ(0, memory_.live);
    TRITONSERVER_ResponseAllocatorDelete(allocator_);
  }

  // A request with input X of one float, for whose answer the callbacks are set.
  TRITONSERVER_InferenceRequest* NewRequest() {
    Must(TRITONSERVER_InferenceRequestNew(&request_, &handle_, "small", -1));
    const int64_t shape[] = {1, 1};
    Must(TRITONSERVER_InferenceRequestAddInput(request_, "X", TRITONSERVER_TYPE_FP32, shape, 2));
    Must(TRITONSERVER_InferenceRequestAppendInputData(request_, "X", &value_, sizeof(value_),
                                                      TRITONSERVER_MEMORY_CPU, 0));
    SetCallbacks();
    return request_;
  }
  void SetCallbacks() {
    Must(TRITONSERVER_InferenceRequestSetReleaseCallback(request_, &Reception::OnRelease,
                                                         reception_.get()));
    Must(TRITONSERVER_InferenceRequestSetResponseCallback(
        request_, allocator_, &memory_, &Reception::OnResponse, reception_.get()));
  }
  TRITONSERVER_Error* Infer(TRITONSERVER_InferenceTrace* trace = nullptr) {
    return TRITONSERVER_ServerInferAsync(&handle_, request_, trace);
  }
  static void Must(TRITONSERVER_Error* error) {
    ASSERT_EQ(nullptr, error) << TRITONSERVER_ErrorMessage(error);
  }
  static std::string Text(TRITONSERVER_Error* error) {
    return error == nullptr ? "" : TakeTriton(error).ToString();
  }
  float Output(std::size_t index) {
    const char* name;
    TRITONSERVER_DataType type;
    const int64_t* shape;
    uint64_t rank;
    const void* base;
    size_t byte_size;
    TRITONSERVER_MemoryType memory_type;
    int64_t memory_id;
    void* userp;
    Must(TRITONSERVER_InferenceResponseOutput(reception_->responses.at(index), 0, &name, &type,
                                              &shape, &rank, &base, &byte_size, &memory_type,
                                              &memory_id, &userp));
    EXPECT_STREQ("Y", name);
    EXPECT_EQ(TRITONSERVER_TYPE_FP32, type);
    EXPECT_EQ(sizeof(float), byte_size);
    EXPECT_EQ(&memory_, userp);
    return *static_cast<const float*>(base);
  }

  float value_ = 1.5F;
  Memory memory_;
  FakeServer server_;
  TRITONSERVER_Server handle_{.control = &server_};
  TRITONSERVER_ResponseAllocator* allocator_ = nullptr;
  TRITONSERVER_InferenceRequest* request_ = nullptr;
  std::unique_ptr<Reception> reception_ = std::make_unique<Reception>();
};

TEST_F(ServerRequestTest, Infer_AnswersOnceWithTheFinalFlagAndGivesTheRequestBack) {
  const void* seen = nullptr;
  Serve([&](engine::InferRequest& request) {
    seen = request.inputs.at(0).tensor.data.data();
    Echo(request, 1, true);
  });
  NewRequest();
  Must(TRITONSERVER_InferenceRequestSetId(request_, "seven"));
  Must(Infer());
  reception_->Wait();
  EXPECT_EQ(&value_, seen) << "the input was copied";
  EXPECT_THAT(reception_->flags, ElementsAre(TRITONSERVER_RESPONSE_COMPLETE_FINAL));
  EXPECT_EQ(1, reception_->releases);
  EXPECT_EQ(1.5F, Output(0));
  EXPECT_EQ(1, memory_.starts);
  const char* text;
  int64_t version;
  Must(TRITONSERVER_InferenceResponseId(reception_->responses[0], &text));
  EXPECT_STREQ("seven", text);
  Must(TRITONSERVER_InferenceResponseModel(reception_->responses[0], &text, &version));
  EXPECT_STREQ("small", text);
  EXPECT_EQ(1, version);
  TRITONSERVER_ParameterType type;
  const void* value;
  Must(TRITONSERVER_InferenceResponseParameter(reception_->responses[0], 0, &text, &type, &value));
  EXPECT_EQ(TRITONSERVER_PARAMETER_INT, type);
  EXPECT_EQ(0, *static_cast<const int64_t*>(value));
}

TEST_F(ServerRequestTest, Infer_TakesAReleasedRequestAgain) {
  Serve([](engine::InferRequest& request) { Echo(request, 1, true); });
  NewRequest();
  for (int i = 0; i < 3; ++i) {
    value_ = static_cast<float>(i);
    reception_ = std::make_unique<Reception>();
    SetCallbacks();
    Must(Infer());
    reception_->Wait();
    EXPECT_EQ(static_cast<float>(i), Output(0));
  }
}

TEST_F(ServerRequestTest, Infer_StreamsTheResponsesOfADecoupledModel) {
  Serve([](engine::InferRequest& request) { Echo(request, 3, false); }, /*decoupled=*/true);
  NewRequest();
  Must(Infer());
  reception_->Wait();
  EXPECT_EQ(3u, reception_->responses.size());
  EXPECT_THAT(reception_->flags, ElementsAre(0, 0, 0, TRITONSERVER_RESPONSE_COMPLETE_FINAL));
}

TEST_F(ServerRequestTest, Infer_MarksTheLastResponseOfADecoupledModelThatKnowsIt) {
  Serve([](engine::InferRequest& request) { Echo(request, 2, true); }, /*decoupled=*/true);
  NewRequest();
  Must(Infer());
  reception_->Wait();
  EXPECT_THAT(reception_->flags, ElementsAre(0, TRITONSERVER_RESPONSE_COMPLETE_FINAL));
}

TEST_F(ServerRequestTest, Infer_CarriesAnErrorInAStream) {
  Serve(
      [](engine::InferRequest& request) {
        engine::InferResponse response;
        response.error = NotFound("no such thing");
        request.Send(std::move(response));
        Echo(request, 1, true);
      },
      /*decoupled=*/true);
  NewRequest();
  Must(Infer());
  reception_->Wait();
  ASSERT_EQ(2u, reception_->responses.size());
  EXPECT_EQ("NOT_FOUND: no such thing",
            Text(TRITONSERVER_InferenceResponseError(reception_->responses[0])));
  EXPECT_EQ("", Text(TRITONSERVER_InferenceResponseError(reception_->responses[1])));
}

TEST_F(ServerRequestTest, Infer_AnswersWithTheErrorOfTheModel) {
  Serve([](engine::InferRequest& request) {
    request.Finish(Internal("broken"), engine::FailureReason::kBackend);
  });
  NewRequest();
  Must(Infer());
  reception_->Wait();
  EXPECT_EQ("INTERNAL: broken",
            Text(TRITONSERVER_InferenceResponseError(reception_->responses.at(0))));
}

TEST_F(ServerRequestTest, Infer_RefusesWhatIsNotValidAndLeavesTheRequestToItsMaker) {
  Serve([](engine::InferRequest& request) { Echo(request, 1, true); });
  NewRequest();
  Must(TRITONSERVER_InferenceRequestRemoveInput(request_, "X"));
  EXPECT_THAT(Text(Infer()), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_EQ(0, reception_->releases);
  EXPECT_TRUE(reception_->flags.empty());
  const int64_t shape[] = {1, 1};
  Must(TRITONSERVER_InferenceRequestAddInput(request_, "X", TRITONSERVER_TYPE_FP32, shape, 2));
  EXPECT_THAT(Text(Infer()), HasSubstr("INVALID_ARGUMENT"));
  Must(TRITONSERVER_InferenceRequestAppendInputData(request_, "X", &value_, sizeof(value_),
                                                    TRITONSERVER_MEMORY_CPU, 0));
  Must(Infer());
  reception_->Wait();
  EXPECT_EQ(1.5F, Output(0));
}

TEST_F(ServerRequestTest, Infer_NeedsItsCallbacks) {
  Serve([](engine::InferRequest& request) { Echo(request, 1, true); });
  Must(TRITONSERVER_InferenceRequestNew(&request_, &handle_, "small", 1));
  EXPECT_THAT(Text(Infer()), HasSubstr("callback"));
}

TEST_F(ServerRequestTest, New_RefusesModelsThatAreNotThere) {
  TRITONSERVER_InferenceRequest* request = nullptr;
  EXPECT_THAT(Text(TRITONSERVER_InferenceRequestNew(&request, &handle_, "nobody", -1)),
              HasSubstr("NOT_FOUND: Request for unknown model: 'nobody' is not found"));
  TRITONSERVER_Server empty;
  EXPECT_THAT(Text(TRITONSERVER_InferenceRequestNew(&request, &empty, "small", -1)),
              HasSubstr("UNAVAILABLE"));
  EXPECT_EQ(nullptr, request);
}

TEST_F(ServerRequestTest, Cancel_ReachesARequestThatWaits) {
  engine::testing::Latch begun, go_on;
  std::atomic<int> executed{0};
  Serve([&](engine::InferRequest& request) {
    if (executed++ == 0) {
      begun.Open();
      go_on.Wait();
    }
    Echo(request, 1, true);
  });
  NewRequest();
  Must(Infer());
  begun.Wait();
  TRITONSERVER_InferenceRequest* const first = request_;
  std::unique_ptr<Reception> first_reception = std::move(reception_);
  reception_ = std::make_unique<Reception>();
  NewRequest();
  Must(Infer());
  Must(TRITONSERVER_InferenceRequestCancel(request_));
  bool cancelled = false;
  Must(TRITONSERVER_InferenceRequestIsCancelled(request_, &cancelled));
  EXPECT_TRUE(cancelled);
  go_on.Open();
  reception_->Wait();
  EXPECT_THAT(Text(TRITONSERVER_InferenceResponseError(reception_->responses.at(0))),
              HasSubstr("CANCELLED"));
  EXPECT_EQ(1, executed);
  first_reception->Wait();
  TRITONSERVER_InferenceRequestDelete(first);
}

TEST_F(ServerRequestTest, Output_OfOtherMemoryIsCopiedToTheCallers) {
  static const float kConstant = 2.5F;
  Serve([](engine::InferRequest& request) {
    engine::InferResponse response;
    response.outputs.push_back({.name = "Y", .tensor = request.inputs[0].tensor});
    response.outputs[0].tensor.data =
        Buffer::Unowned({reinterpret_cast<const char*>(&kConstant), sizeof(kConstant)});
    request.Send(std::move(response));
    request.Finish(OkStatus());
  });
  NewRequest();
  Must(Infer());
  reception_->Wait();
  EXPECT_EQ(2.5F, Output(0));
}

TEST_F(ServerRequestTest, Output_WithoutHostMemoryIsAnError) {
  Serve([](engine::InferRequest& request) { Echo(request, 1, true); });
  NewRequest();
  memory_.fails = true;
  Must(Infer());
  reception_->Wait();
  EXPECT_THAT(Text(TRITONSERVER_InferenceResponseError(reception_->responses.at(0))),
              HasSubstr("no memory today"));
  memory_.fails = false;
  memory_.type = TRITONSERVER_MEMORY_GPU;
  reception_ = std::make_unique<Reception>();
  SetCallbacks();
  Must(Infer());
  reception_->Wait();
  EXPECT_THAT(Text(TRITONSERVER_InferenceResponseError(reception_->responses.at(0))),
              HasSubstr("host memory"));
}

TEST_F(ServerRequestTest, RawInput_TakesTypeAndShapeOfTheModelsOnlyInput) {
  Shape seen;
  Serve([&](engine::InferRequest& request) {
    seen = request.inputs.at(0).tensor.shape;
    Echo(request, 1, true);
  });
  Must(TRITONSERVER_InferenceRequestNew(&request_, &handle_, "small", -1));
  Must(TRITONSERVER_InferenceRequestAddRawInput(request_, "X"));
  Must(TRITONSERVER_InferenceRequestAppendInputData(request_, "X", &value_, sizeof(value_),
                                                    TRITONSERVER_MEMORY_CPU, 0));
  SetCallbacks();
  Must(Infer());
  reception_->Wait();
  EXPECT_EQ((Shape{1, 1}), seen);
  EXPECT_EQ(1.5F, Output(0));
}

struct TraceRecord {
  static void OnActivity(TRITONSERVER_InferenceTrace*, TRITONSERVER_InferenceTraceActivity activity,
                         uint64_t, void* userp) {
    static_cast<TraceRecord*>(userp)->activities.push_back(activity);
  }
  static void OnTensor(TRITONSERVER_InferenceTrace*, TRITONSERVER_InferenceTraceActivity activity,
                       const char* name, TRITONSERVER_DataType, const void*, size_t, const int64_t*,
                       uint64_t, TRITONSERVER_MemoryType, int64_t, void* userp) {
    static_cast<TraceRecord*>(userp)->tensors.emplace_back(
        std::string(TRITONSERVER_InferenceTraceActivityString(activity)) + " " + name);
  }
  static void OnRelease(TRITONSERVER_InferenceTrace* trace, void* userp) {
    auto* const self = static_cast<TraceRecord*>(userp);
    const char* name;
    TRITONSERVER_InferenceTraceModelName(trace, &name);
    self->model = name;
    TRITONSERVER_InferenceTraceDelete(trace);
    self->released.Open();
  }
  std::vector<int> activities;
  std::vector<std::string> tensors;
  std::string model;
  engine::testing::Latch released;
};

TEST_F(ServerRequestTest, Trace_HearsOfTheRequestAndIsGivenBack) {
  Serve([](engine::InferRequest& request) { Echo(request, 1, true); });
  NewRequest();
  TraceRecord record;
  TRITONSERVER_InferenceTrace* trace = nullptr;
  Must(TRITONSERVER_InferenceTraceTensorNew(
      &trace,
      static_cast<TRITONSERVER_InferenceTraceLevel>(TRITONSERVER_TRACE_LEVEL_TIMESTAMPS |
                                                    TRITONSERVER_TRACE_LEVEL_TENSORS),
      0, &TraceRecord::OnActivity, &TraceRecord::OnTensor, &TraceRecord::OnRelease, &record));
  Must(TRITONSERVER_InferenceTraceSetContext(trace, "the context"));
  TRITONSERVER_InferenceTrace* child = nullptr;
  Must(TRITONSERVER_InferenceTraceSpawnChildTrace(trace, &child));
  uint64_t id = 0, parent = 0;
  Must(TRITONSERVER_InferenceTraceId(trace, &id));
  Must(TRITONSERVER_InferenceTraceParentId(child, &parent));
  EXPECT_EQ(id, parent);
  Must(TRITONSERVER_InferenceTraceDelete(child));
  Must(Infer(trace));
  reception_->Wait();
  record.released.Wait();
  EXPECT_THAT(record.activities,
              ElementsAre(TRITONSERVER_TRACE_REQUEST_START, TRITONSERVER_TRACE_QUEUE_START,
                          TRITONSERVER_TRACE_REQUEST_END));
  EXPECT_THAT(record.tensors, ElementsAre("TENSOR_QUEUE_INPUT X", "TENSOR_BACKEND_INPUT X",
                                          "TENSOR_BACKEND_OUTPUT Y"));
  EXPECT_EQ("small", record.model);
}

TEST_F(ServerRequestTest, Server_TellsAboutItselfAndItsModels) {
  Serve([](engine::InferRequest& request) { Echo(request, 1, true); }, /*decoupled=*/true);
  bool ready = false;
  Must(TRITONSERVER_ServerModelIsReady(&handle_, "small", 1, &ready));
  EXPECT_TRUE(ready);
  Must(TRITONSERVER_ServerModelIsReady(&handle_, "small", 2, &ready));
  EXPECT_FALSE(ready);
  uint32_t flags = 0;
  Must(TRITONSERVER_ServerModelTransactionProperties(&handle_, "small", -1, &flags, nullptr));
  EXPECT_EQ(TRITONSERVER_TXN_DECOUPLED, static_cast<int>(flags));
  Must(TRITONSERVER_ServerModelBatchProperties(&handle_, "small", -1, &flags, nullptr));
  EXPECT_EQ(TRITONSERVER_BATCH_FIRST_DIM, static_cast<int>(flags));
  TRITONSERVER_Message* message = nullptr;
  EXPECT_THAT(Text(TRITONSERVER_ServerModelStatistics(&handle_, "small", -1, &message)),
              HasSubstr("NOT_FOUND"));
  Must(TRITONSERVER_ServerModelIndex(&handle_, TRITONSERVER_INDEX_FLAG_READY, &message));
  EXPECT_EQ("[]", message->json);
  TRITONSERVER_MessageDelete(message);
  TRITONSERVER_Metrics* metrics = nullptr;
  Must(TRITONSERVER_ServerMetrics(&handle_, &metrics));
  const char* page;
  size_t byte_size;
  Must(TRITONSERVER_MetricsFormatted(metrics, TRITONSERVER_METRIC_PROMETHEUS, &page, &byte_size));
  EXPECT_EQ("page", std::string(page, byte_size));
  TRITONSERVER_MetricsDelete(metrics);
}

TEST_F(ServerRequestTest, Load_TakesAConfigurationAndFiles) {
  TRITONSERVER_Parameter* config =
      TRITONSERVER_ParameterNew("config", TRITONSERVER_PARAMETER_STRING, "{}");
  TRITONSERVER_Parameter* file = TRITONSERVER_ParameterBytesNew("file:1/model.py", "abc", 3);
  const TRITONSERVER_Parameter* both[] = {config, file};
  Must(TRITONSERVER_ServerLoadModelWithParameters(&handle_, "m", both, 2));
  Must(TRITONSERVER_ServerLoadModel(&handle_, "n"));
  Must(TRITONSERVER_ServerUnloadModelAndDependents(&handle_, "m"));
  EXPECT_THAT(server_.calls,
              ElementsAre("load m {} 1/model.py=abc", "load n ", "unload m and dependents"));
  TRITONSERVER_Parameter* wrong =
      TRITONSERVER_ParameterNew("config", TRITONSERVER_PARAMETER_BOOL, &wrong);
  const TRITONSERVER_Parameter* one[] = {wrong};
  EXPECT_THAT(Text(TRITONSERVER_ServerLoadModelWithParameters(&handle_, "m", one, 1)),
              HasSubstr("INVALID_ARGUMENT: unrecognized load parameter 'config'"));
  for (TRITONSERVER_Parameter* parameter : {config, file, wrong}) {
    TRITONSERVER_ParameterDelete(parameter);
  }
}

}  // namespace
}  // namespace headrace::plugin
