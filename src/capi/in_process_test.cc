// A program that holds a server: linked with libtritonserver.so alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "triton_abi.h"

namespace {

using ::testing::HasSubstr;

std::string Take(TRITONSERVER_Error* error) {
  if (error == nullptr) {
    return "";
  }
  std::string text =
      std::string(TRITONSERVER_ErrorCodeString(error)) + ": " + TRITONSERVER_ErrorMessage(error);
  TRITONSERVER_ErrorDelete(error);
  return text;
}

void Must(TRITONSERVER_Error* error) { ASSERT_EQ("", Take(error)); }

std::string TakeText(TRITONSERVER_Message* message) {
  const char* base = nullptr;
  size_t byte_size = 0;
  Must(TRITONSERVER_MessageSerializeToJson(message, &base, &byte_size));
  std::string text(base, byte_size);
  Must(TRITONSERVER_MessageDelete(message));
  return text;
}

class InProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    repository_ = std::filesystem::path(HEADRACE_TEST_REPOSITORIES) /
                  ("repository-" + std::to_string(getpid()));
    for (const char* name : {"echo", "later"}) {
      std::filesystem::create_directories(repository_ / name / "1");
      std::ofstream(repository_ / name / "config.pbtxt")
          << "backend: \"identity\"\nmax_batch_size: 8\n"
             "input { name: \"INPUT0\" data_type: TYPE_INT32 dims: [ -1 ] }\n"
             "output { name: \"OUTPUT0\" data_type: TYPE_INT32 dims: [ -1 ] }\n";
    }
    Must(TRITONSERVER_ServerOptionsNew(&options_));
    Must(TRITONSERVER_ServerOptionsSetModelRepositoryPath(options_, repository_.c_str()));
    Must(TRITONSERVER_ServerOptionsSetModelControlMode(options_,
                                                       TRITONSERVER_MODEL_CONTROL_EXPLICIT));
    Must(TRITONSERVER_ServerOptionsSetStartupModel(options_, "echo"));
    Must(TRITONSERVER_ServerOptionsSetServerId(options_, "in-process"));
    Must(TRITONSERVER_ServerOptionsSetLogInfo(options_, false));
    Must(TRITONSERVER_ServerOptionsSetGpuMetrics(options_, false));
  }
  void TearDown() override {
    if (server_ != nullptr) {
      Must(TRITONSERVER_ServerDelete(server_));
    }
    Must(TRITONSERVER_ServerOptionsDelete(options_));
    std::filesystem::remove_all(repository_);
  }
  void Start() { Must(TRITONSERVER_ServerNew(&server_, options_)); }

  std::filesystem::path repository_;
  TRITONSERVER_ServerOptions* options_ = nullptr;
  TRITONSERVER_Server* server_ = nullptr;
};

// One inference, from the outside.
struct Call {
  static TRITONSERVER_Error* Allocate(TRITONSERVER_ResponseAllocator*, const char*,
                                      size_t byte_size, TRITONSERVER_MemoryType, int64_t, void*,
                                      void** buffer, void** buffer_userp,
                                      TRITONSERVER_MemoryType* type, int64_t* type_id) {
    *buffer = std::malloc(byte_size);
    *buffer_userp = nullptr;
    *type = TRITONSERVER_MEMORY_CPU;
    *type_id = 0;
    return nullptr;
  }
  static TRITONSERVER_Error* Release(TRITONSERVER_ResponseAllocator*, void* buffer, void*, size_t,
                                     TRITONSERVER_MemoryType, int64_t) {
    std::free(buffer);
    return nullptr;
  }
  static void OnRelease(TRITONSERVER_InferenceRequest* request, uint32_t, void* userp) {
    Must(TRITONSERVER_InferenceRequestDelete(request));
    static_cast<Call*>(userp)->Note(&Call::released);
  }
  static void OnResponse(TRITONSERVER_InferenceResponse* response, uint32_t, void* userp) {
    auto* const self = static_cast<Call*>(userp);
    self->response = response;
    self->Note(&Call::answered);
  }
  void Note(bool Call::*what) {
    std::lock_guard lock(mutex);
    this->*what = true;
    changed.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return released && answered; });
  }
  std::mutex mutex;  // guards released and answered
  std::condition_variable changed;
  bool released = false, answered = false;
  TRITONSERVER_InferenceResponse* response = nullptr;
};

std::vector<int32_t> Infer(TRITONSERVER_Server* server, const std::vector<int32_t>& values,
                           const char* model = "echo") {
  TRITONSERVER_ResponseAllocator* allocator = nullptr;
  Must(TRITONSERVER_ResponseAllocatorNew(&allocator, &Call::Allocate, &Call::Release, nullptr));
  Call call;
  TRITONSERVER_InferenceRequest* request = nullptr;
  Must(TRITONSERVER_InferenceRequestNew(&request, server, model, -1));
  const int64_t shape[] = {1, static_cast<int64_t>(values.size())};
  Must(TRITONSERVER_InferenceRequestAddInput(request, "INPUT0", TRITONSERVER_TYPE_INT32, shape, 2));
  Must(TRITONSERVER_InferenceRequestAppendInputData(request, "INPUT0", values.data(),
                                                    values.size() * sizeof(int32_t),
                                                    TRITONSERVER_MEMORY_CPU, 0));
  Must(TRITONSERVER_InferenceRequestAddRequestedOutput(request, "OUTPUT0"));
  Must(TRITONSERVER_InferenceRequestSetReleaseCallback(request, &Call::OnRelease, &call));
  Must(TRITONSERVER_InferenceRequestSetResponseCallback(request, allocator, nullptr,
                                                        &Call::OnResponse, &call));
  Must(TRITONSERVER_ServerInferAsync(server, request, nullptr));
  call.Wait();
  EXPECT_EQ("", Take(TRITONSERVER_InferenceResponseError(call.response)));
  const char* name;
  TRITONSERVER_DataType type;
  const int64_t* output_shape;
  uint64_t rank;
  const void* base;
  size_t byte_size;
  TRITONSERVER_MemoryType memory_type;
  int64_t memory_id;
  void* userp;
  Must(TRITONSERVER_InferenceResponseOutput(call.response, 0, &name, &type, &output_shape, &rank,
                                            &base, &byte_size, &memory_type, &memory_id, &userp));
  std::vector<int32_t> result(byte_size / sizeof(int32_t));
  std::memcpy(result.data(), base, byte_size);
  Must(TRITONSERVER_InferenceResponseDelete(call.response));
  Must(TRITONSERVER_ResponseAllocatorDelete(allocator));
  return result;
}

TEST_F(InProcessTest, Server_InfersAndCounts) {
  Start();
  EXPECT_EQ((std::vector<int32_t>{1, 2, 3}), Infer(server_, {1, 2, 3}));
  TRITONSERVER_Message* message = nullptr;
  Must(TRITONSERVER_ServerModelStatistics(server_, "echo", -1, &message));
  EXPECT_THAT(TakeText(message), HasSubstr(R"("success":{"count":1,)"));
  TRITONSERVER_Metrics* metrics = nullptr;
  Must(TRITONSERVER_ServerMetrics(server_, &metrics));
  const char* base;
  size_t byte_size;
  Must(TRITONSERVER_MetricsFormatted(metrics, TRITONSERVER_METRIC_PROMETHEUS, &base, &byte_size));
  EXPECT_THAT(std::string(base, byte_size),
              HasSubstr("nv_inference_request_success{model=\"echo\",version=\"1\"} 1"));
  Must(TRITONSERVER_MetricsDelete(metrics));
}

TEST_F(InProcessTest, Server_DescribesItselfAndItsModels) {
  Start();
  bool yes = false;
  Must(TRITONSERVER_ServerIsLive(server_, &yes));
  EXPECT_TRUE(yes);
  Must(TRITONSERVER_ServerIsReady(server_, &yes));
  EXPECT_TRUE(yes);
  TRITONSERVER_Message* message = nullptr;
  Must(TRITONSERVER_ServerMetadata(server_, &message));
  EXPECT_THAT(TakeText(message), HasSubstr(R"("name":"in-process")"));
  Must(TRITONSERVER_ServerModelMetadata(server_, "echo", -1, &message));
  EXPECT_THAT(TakeText(message), HasSubstr(R"("versions":["1"])"));
  Must(TRITONSERVER_ServerModelConfig(server_, "echo", -1, 1, &message));
  EXPECT_THAT(TakeText(message), HasSubstr(R"("max_batch_size":8)"));
}

TEST_F(InProcessTest, Server_LoadsAndUnloads) {
  Start();
  bool ready = true;
  Must(TRITONSERVER_ServerModelIsReady(server_, "later", -1, &ready));
  EXPECT_FALSE(ready);
  Must(TRITONSERVER_ServerLoadModel(server_, "later"));
  Must(TRITONSERVER_ServerModelIsReady(server_, "later", -1, &ready));
  EXPECT_TRUE(ready);
  TRITONSERVER_Message* message = nullptr;
  Must(TRITONSERVER_ServerModelIndex(server_, TRITONSERVER_INDEX_FLAG_READY, &message));
  EXPECT_THAT(TakeText(message), HasSubstr(R"("name":"later")"));
  Must(TRITONSERVER_ServerUnloadModel(server_, "later"));
  Must(TRITONSERVER_ServerModelIsReady(server_, "later", -1, &ready));
  EXPECT_FALSE(ready);
  EXPECT_THAT(Take(TRITONSERVER_ServerLoadModel(server_, "nobody")), HasSubstr("nobody"));
}

TEST_F(InProcessTest, Server_TakesRepositoriesAndGivesThemUp) {
  const std::filesystem::path other = repository_.string() + "-other";
  std::filesystem::create_directories(other);
  std::filesystem::copy(repository_ / "echo", other / "echo",
                        std::filesystem::copy_options::recursive);
  Start();
  TRITONSERVER_Parameter* const mapping =
      TRITONSERVER_ParameterNew("echo", TRITONSERVER_PARAMETER_STRING, "renamed");
  const int64_t number = 3;
  TRITONSERVER_Parameter* const wrong =
      TRITONSERVER_ParameterNew("echo", TRITONSERVER_PARAMETER_INT, &number);
  const TRITONSERVER_Parameter* mappings[] = {mapping, mapping};
  const TRITONSERVER_Parameter* wrongs[] = {wrong};
  EXPECT_EQ("Invalid argument: Mapped model name must be a string, found another type for echo",
            Take(TRITONSERVER_ServerRegisterModelRepository(server_, other.c_str(), wrongs, 1)));
  EXPECT_THAT(Take(TRITONSERVER_ServerRegisterModelRepository(server_, other.c_str(), mappings, 2)),
              HasSubstr("there is a conflicting mapping for 'renamed'"));
  Must(TRITONSERVER_ServerRegisterModelRepository(server_, other.c_str(), mappings, 1));
  Must(TRITONSERVER_ServerLoadModel(server_, "renamed"));
  EXPECT_EQ((std::vector<int32_t>{4}), Infer(server_, {4}, "renamed"));
  Must(TRITONSERVER_ServerUnregisterModelRepository(server_, other.c_str()));
  EXPECT_THAT(Take(TRITONSERVER_ServerUnregisterModelRepository(server_, other.c_str())),
              HasSubstr("repository not found"));
  TRITONSERVER_ParameterDelete(mapping);
  TRITONSERVER_ParameterDelete(wrong);
  std::filesystem::remove_all(other);
}

TEST_F(InProcessTest, Server_IsNotMadeOfFaultyOptions) {
  Must(TRITONSERVER_ServerOptionsSetStartupModel(options_, "nobody"));
  EXPECT_THAT(Take(TRITONSERVER_ServerNew(&server_, options_)), HasSubstr("failed to load"));
  EXPECT_EQ(nullptr, server_);
  Must(TRITONSERVER_ServerOptionsSetExitOnError(options_, false));
  Start();
  EXPECT_EQ((std::vector<int32_t>{7}), Infer(server_, {7}));
}

TEST_F(InProcessTest, Server_HasTheServicesThatItsOptionsName) {
  std::ofstream(repository_ / "echo" / "config.pbtxt", std::ios::app)
      << "response_cache { enable: true }\n"
         "instance_group { rate_limiter { resources { name: \"R\" count: 2 } } }\n";
  Must(TRITONSERVER_ServerOptionsSetCacheDirectory(options_, HEADRACE_TEST_CACHES));
  Must(TRITONSERVER_ServerOptionsSetCacheConfig(options_, "test", R"({"fault":"none","n":1})"));
  Must(TRITONSERVER_ServerOptionsSetRateLimiterMode(options_, TRITONSERVER_RATE_LIMIT_EXEC_COUNT));
  Must(TRITONSERVER_ServerOptionsAddRateLimiterResource(options_, "R", 3, -1));
  Must(TRITONSERVER_ServerOptionsSetHostPolicy(options_, "cpu", "numa-node", "0"));
  Start();
  EXPECT_EQ((std::vector<int32_t>{1, 2}), Infer(server_, {1, 2}));
  EXPECT_EQ((std::vector<int32_t>{1, 2}), Infer(server_, {1, 2}));
  TRITONSERVER_Message* message = nullptr;
  Must(TRITONSERVER_ServerModelStatistics(server_, "echo", -1, &message));
  const std::string statistics = TakeText(message);
  EXPECT_THAT(statistics, HasSubstr(R"("cache_hit":{"count":1,)"));
  EXPECT_THAT(statistics, HasSubstr(R"("cache_miss":{"count":1,)"));
  TRITONSERVER_Metrics* metrics = nullptr;
  Must(TRITONSERVER_ServerMetrics(server_, &metrics));
  const char* base;
  size_t byte_size;
  Must(TRITONSERVER_MetricsFormatted(metrics, TRITONSERVER_METRIC_PROMETHEUS, &base, &byte_size));
  const std::string page(base, byte_size);
  EXPECT_THAT(page, HasSubstr("headrace_rate_limit_resource_limit{resource=\"R\""));
  EXPECT_THAT(page, HasSubstr("headrace_cache_failures_total{operation=\"lookup\"} 0"));
  Must(TRITONSERVER_MetricsDelete(metrics));
}

TEST_F(InProcessTest, Options_NameTheirFaults) {
  EXPECT_THAT(Take(TRITONSERVER_ServerOptionsSetCacheConfig(options_, "test", "[]")),
              HasSubstr("must be a JSON object"));
  EXPECT_THAT(Take(TRITONSERVER_ServerOptionsSetCacheConfig(options_, "", "{}")),
              HasSubstr("must have a name"));
  EXPECT_THAT(Take(TRITONSERVER_ServerOptionsSetHostPolicy(options_, "p", "colour", "1")),
              HasSubstr("host policy 'p' has no setting 'colour'"));
  Must(TRITONSERVER_ServerOptionsSetCacheConfig(options_, "nowhere", "{}"));
  EXPECT_THAT(Take(TRITONSERVER_ServerNew(&server_, options_)),
              HasSubstr("unable to find the library of cache 'nowhere'"));
  EXPECT_EQ(nullptr, server_);
}

TEST_F(InProcessTest, Stop_EndsInferenceAndDeleteComesAfter) {
  Start();
  Must(TRITONSERVER_ServerStop(server_));
  TRITONSERVER_InferenceRequest* request = nullptr;
  EXPECT_NE("", Take(TRITONSERVER_InferenceRequestNew(&request, server_, "echo", -1)));
  bool ready = true;
  Must(TRITONSERVER_ServerIsReady(server_, &ready));
  EXPECT_FALSE(ready);
}

}  // namespace
