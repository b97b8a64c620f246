#include "onnxruntime/device_execution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/model_config.h"
#include "common/request_batch.h"
#include "common/testing/fake_host.h"
#include "common/testing/onnx_writer.h"
#include "onnxruntime/providers.h"

namespace headrace::backend {
namespace {

using testing::BytesOf;
using ::testing::ElementsAre;
using testing::FloatsOf;
using ::testing::HasSubstr;

constexpr std::int64_t kGpu = 3;
constexpr MemoryPlace kHost = {};
constexpr MemoryPlace kPinned = {TRITONSERVER_MEMORY_CPU_PINNED, 0};
constexpr MemoryPlace kDevice = {TRITONSERVER_MEMORY_GPU, kGpu};
constexpr MemoryPlace kOtherDevice = {TRITONSERVER_MEMORY_GPU, kGpu + 1};

// A device whose memory is the host's.
class CountingCopy final : public DeviceCopy {
 public:
  Error Copy(std::span<const std::byte> source, std::span<std::byte> destination) override {
    EXPECT_EQ(source.size(), destination.size());
    std::memcpy(destination.data(), source.data(), source.size());
    ++count;
    return count == failing ? Internal("the copy failed") : Error();
  }
  int count = 0;
  int failing = 0;  // the number of the copy that fails
};

class DeviceExecutionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(::testing::TempDir()) /
            (::testing::UnitTest::GetInstance()->current_test_info()->name() +
             std::to_string(getpid()));
    std::ofstream(path_, std::ios::binary) << testing::AddModel(2);
    Error error =
        OnnxSession::Load({.path = path_.string(), .external = {}}, settings_, {}, &session_);
    ASSERT_TRUE(error.ok()) << error.message();
    error = ModelConfig::Parse(
        R"({"max_batch_size":8,"input":[{"name":"A","data_type":"TYPE_FP32","dims":[2]},)"
        R"({"name":"B","data_type":"TYPE_FP32","dims":[2]}],)"
        R"("output":[{"name":"SUM","data_type":"TYPE_FP32","dims":[2]}]})",
        &config_);
    ASSERT_TRUE(error.ok()) << error.message();
    const auto host = [] {
      return Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    };
    execution_.emplace(
        session_, settings_,
        DeviceMemory{.device = host(), .pinned = host(), .place = kDevice, .copy = copy_});
  }
  void TearDown() override { std::filesystem::remove(path_); }

  static TRITONBACKEND_Input Input(const char* name, const std::vector<float>& values,
                                   const MemoryPlace& place) {
    return {.name = name,
            .dtype = TRITONSERVER_TYPE_FP32,
            .shape = {static_cast<std::int64_t>(values.size() / 2), 2},
            .buffers = {{BytesOf(values), place}}};
  }
  static TRITONBACKEND_Request Request(TRITONBACKEND_Input a, TRITONBACKEND_Input b) {
    TRITONBACKEND_Request request;
    request.inputs.push_back(std::move(a));
    request.inputs.push_back(std::move(b));
    request.wanted = {"SUM"};
    request.output_place = kHost;
    return request;
  }
  void Execute(std::vector<TRITONBACKEND_Request*> requests) {
    BatchDriver driver(session_->tensors(), config_);
    BatchMemory memory;
    RequestBatch batch(memory, nullptr, requests);
    if (Error error = driver.Execute(batch, *execution_); !error.ok()) {
      batch.FailAll(error);
    }
    batch.Send();
  }

  std::filesystem::path path_;
  SessionSettings settings_;
  ModelConfig config_;
  std::shared_ptr<OnnxSession> session_;
  std::shared_ptr<CountingCopy> copy_ = std::make_shared<CountingCopy>();
  std::optional<OnnxDeviceExecution> execution_;
};

TEST_F(DeviceExecutionTest, UsesOneBufferWhereItLies) {
  for (const MemoryPlace& place : {kHost, kPinned, kDevice}) {
    TRITONBACKEND_Request request = Request(Input("A", {1, 2}, place), Input("B", {10, 20}, place));
    copy_->count = 0;
    Execute({&request});
    ASSERT_FALSE(request.error) << *request.error;
    ASSERT_EQ(1u, request.outputs.size());
    EXPECT_THAT(FloatsOf(request.outputs[0].bytes), ElementsAre(11, 22));
    EXPECT_EQ(1, copy_->count);  // the output's
  }
}

TEST_F(DeviceExecutionTest, JoinsBuffersOfAllKinds) {
  TRITONBACKEND_Request first = Request(Input("A", {1, 2}, kHost), Input("B", {10, 20}, kDevice));
  TRITONBACKEND_Request second =
      Request(Input("A", {3, 4, 5, 6}, kPinned), Input("B", {30, 40, 50, 60}, kOtherDevice));
  Execute({&first, &second});
  ASSERT_FALSE(first.error) << *first.error;
  ASSERT_FALSE(second.error) << *second.error;
  EXPECT_THAT(FloatsOf(first.outputs[0].bytes), ElementsAre(11, 22));
  EXPECT_THAT(FloatsOf(second.outputs[0].bytes), ElementsAre(33, 44, 55, 66));
  EXPECT_EQ(4, copy_->count);  // two parts of B, two outputs
}

TEST_F(DeviceExecutionTest, PrefersOutputsOnItsDevice) {
  TRITONBACKEND_Request request = Request(Input("A", {1, 2}, kHost), Input("B", {10, 20}, kHost));
  request.output_place.reset();
  Execute({&request});
  ASSERT_EQ(1u, request.outputs.size());
  EXPECT_EQ(TRITONSERVER_MEMORY_GPU, request.outputs[0].preferred.type);
  EXPECT_EQ(kGpu, request.outputs[0].preferred.id);
  EXPECT_THAT(FloatsOf(request.outputs[0].bytes), ElementsAre(11, 22));
}

TEST_F(DeviceExecutionTest, AnswersAFailedCopyWithAnError_AndGoesOn) {
  TRITONBACKEND_Request request =
      Request(Input("A", {1, 2}, kOtherDevice), Input("B", {10, 20}, kHost));
  copy_->failing = 1;
  Execute({&request});
  ASSERT_TRUE(request.error);
  EXPECT_THAT(*request.error, HasSubstr("the copy failed"));
  EXPECT_EQ(1, request.answer_count);
  TRITONBACKEND_Request next = Request(Input("A", {1, 2}, kHost), Input("B", {10, 20}, kHost));
  Execute({&next});
  EXPECT_FALSE(next.error);
  EXPECT_THAT(FloatsOf(next.outputs[0].bytes), ElementsAre(11, 22));
}

TEST_F(DeviceExecutionTest, TakesLargerAndSmallerBatchesInTurn) {
  for (const int count : {1, 4, 2}) {
    std::vector<float> a(static_cast<std::size_t>(2 * count), 1);
    std::vector<float> b(static_cast<std::size_t>(2 * count), static_cast<float>(count));
    TRITONBACKEND_Request first = Request(Input("A", a, kHost), Input("B", b, kHost));
    TRITONBACKEND_Request second = Request(Input("A", b, kHost), Input("B", b, kHost));
    Execute({&first, &second});
    const auto n = static_cast<float>(count);
    EXPECT_THAT(FloatsOf(first.outputs[0].bytes), ::testing::Each(1 + n));
    EXPECT_THAT(FloatsOf(second.outputs[0].bytes), ::testing::Each(2 * n));
  }
}

TEST_F(DeviceExecutionTest, KindGpuIsRefusedByALibraryWithoutCuda) {
  const std::vector<std::string> providers = Ort::GetAvailableProviders();
  if (std::find(providers.begin(), providers.end(), "CUDAExecutionProvider") != providers.end()) {
    GTEST_SKIP() << "this library has CUDA";
  }
  SessionSettings settings;
  settings.accelerators.gpu = {{GpuProvider::Kind::kCuda, {}}};
  std::shared_ptr<OnnxSession> session;
  const Error error = OnnxSession::Load({.path = path_.string(), .external = {}}, settings,
                                        {.on_gpu = true, .gpu = 0}, &session);
  ASSERT_FALSE(error.ok());
  EXPECT_EQ(TRITONSERVER_ERROR_UNSUPPORTED, error.code());
  EXPECT_THAT(error.message(), HasSubstr("install the wheel onnxruntime-gpu, or use KIND_CPU"));
}

}  // namespace
}  // namespace headrace::backend
