// Device memory through the interface's entries, on a driver made of host memory.
#include "device/device_memory.h"

#include <gtest/gtest.h>

#include "device/testing/fake_cuda.h"
#include "plugin/model_handle.h"
#include "plugin/request_handle.h"
#include "plugin/testing/recording_sink.h"

namespace headrace::plugin {
namespace {

class DeviceMemoryEntriesTest : public ::testing::Test {
 protected:
  // The failure's text; empty for success.
  static std::string Text(TRITONSERVER_Error* error) { return TakeTriton(error).message(); }

  device::testing::FakeCuda cuda_;
  std::shared_ptr<device::DeviceMemory> devices_ = std::make_shared<device::DeviceMemory>(
      device::Gpus::Discover(cuda_.driver(), 6.0), device::DeviceMemoryOptions());
  TRITONBACKEND_MemoryManager manager_{devices_};
  TRITONBACKEND_MemoryManager without_gpu_;
};

TEST_F(DeviceMemoryEntriesTest, Allocate_GivesPinnedAndGpuMemory_AndTakesItBack) {
  for (const auto type : {TRITONSERVER_MEMORY_CPU_PINNED, TRITONSERVER_MEMORY_GPU}) {
    void* buffer = nullptr;
    ASSERT_EQ(Text(TRITONBACKEND_MemoryManagerAllocate(&manager_, &buffer, type, 1, 1000)), "");
    EXPECT_NE(buffer, nullptr);
    EXPECT_EQ(cuda_.live_count(), type == TRITONSERVER_MEMORY_CPU_PINNED ? 1u : 2u);
    EXPECT_EQ(Text(TRITONBACKEND_MemoryManagerFree(&manager_, buffer, type, 1)), "");
    EXPECT_NE(Text(TRITONBACKEND_MemoryManagerFree(&manager_, buffer, type, 1)), "");
  }
}

TEST_F(DeviceMemoryEntriesTest, Allocate_RefusesDeviceMemory_WithoutAGpu) {
  void* buffer = nullptr;
  EXPECT_EQ(Text(TRITONBACKEND_MemoryManagerAllocate(&without_gpu_, &buffer,
                                                     TRITONSERVER_MEMORY_GPU, 0, 8)),
            "this server has host memory only: it has no GPU");
  EXPECT_EQ(buffer, nullptr);
  EXPECT_EQ(Text(TRITONBACKEND_MemoryManagerAllocate(&without_gpu_, &buffer,
                                                     TRITONSERVER_MEMORY_CPU, 0, 8)),
            "");
  EXPECT_EQ(
      Text(TRITONBACKEND_MemoryManagerFree(&without_gpu_, buffer, TRITONSERVER_MEMORY_CPU, 0)), "");
}

TEST_F(DeviceMemoryEntriesTest, BuffersOfTheRequestPool_AreShownAsPinned) {
  BlockPool pool({.device_memory = devices_});
  constexpr std::size_t kByteSize = 64 * 1024;
  auto record = std::make_shared<testing::Record>();
  auto request = std::make_unique<engine::InferRequest>(
      nullptr, std::make_unique<testing::RecordingSink>(record, pool));
  auto memory = pool.Allocate(kByteSize);
  ASSERT_TRUE(memory.ok());
  NamedTensor tensor{.name = "INPUT0", .tensor = {}};
  tensor.tensor.dtype = DataType::kUint8;
  tensor.tensor.shape = Shape{static_cast<std::int64_t>(kByteSize)};
  tensor.tensor.data = std::move(*memory).Freeze();
  request->inputs.push_back(std::move(tensor));
  auto requests = std::make_shared<RequestPool>();
  std::vector<std::unique_ptr<engine::InferRequest>> batch;
  batch.push_back(std::move(request));
  std::vector<TRITONBACKEND_Request*> handles;
  requests->Begin(batch, handles);

  TRITONBACKEND_Input* input = nullptr;
  const void* base = nullptr;
  std::uint64_t byte_size = 0;
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_GPU;
  std::int64_t id = 0;
  ASSERT_EQ(Text(TRITONBACKEND_RequestInput(handles[0], "INPUT0", &input)), "");
  ASSERT_EQ(Text(TRITONBACKEND_InputBuffer(input, 0, &base, &byte_size, &type, &id)), "");
  EXPECT_EQ(type, TRITONSERVER_MEMORY_CPU_PINNED);

  TRITONBACKEND_Response* response = nullptr;
  TRITONBACKEND_Output* output = nullptr;
  const std::int64_t shape[] = {static_cast<std::int64_t>(kByteSize)};
  void* destination = nullptr;
  type = TRITONSERVER_MEMORY_GPU;
  ASSERT_EQ(Text(TRITONBACKEND_ResponseNew(&response, handles[0])), "");
  ASSERT_EQ(Text(TRITONBACKEND_ResponseOutput(response, &output, "OUTPUT0", TRITONSERVER_TYPE_UINT8,
                                              shape, 1)),
            "");
  ASSERT_EQ(Text(TRITONBACKEND_OutputBuffer(output, &destination, kByteSize, &type, &id)), "");
  EXPECT_EQ(type, TRITONSERVER_MEMORY_CPU_PINNED);
  ASSERT_EQ(
      Text(TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, nullptr)),
      "");
  ASSERT_EQ(Text(TRITONBACKEND_RequestRelease(handles[0], TRITONSERVER_REQUEST_RELEASE_ALL)), "");
  EXPECT_TRUE(record->status.ok());
}

}  // namespace
}  // namespace headrace::plugin
