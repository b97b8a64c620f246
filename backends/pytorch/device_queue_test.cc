#include "pytorch/device_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/testing/fake_host.h"
#include "pytorch/tensors.h"

namespace headrace::backend {
namespace {

using testing::BytesOf;
using ::testing::ElementsAre;
using testing::FloatsOf;
using ::testing::HasSubstr;

std::vector<float> FloatsAt(const void* data, std::size_t count) {
  std::vector<float> values(count);
  std::memcpy(values.data(), data, count * sizeof(float));
  return values;
}

TEST(DeviceQueue, OnePartOnTheHostIsReadWhereItLies) {
  DeviceQueue queue{Placement{}};
  const auto bytes = BytesOf({1, 2, 3});
  const InputPart part{bytes, {}};
  EXPECT_EQ(queue.Join(0, {&part, 1}, bytes.size()), bytes.data());
}

TEST(DeviceQueue, PartsAreJoinedInOrderAndTheirMemoryIsKept) {
  DeviceQueue queue{Placement{}};
  const DeviceQueue::Scope scope(queue);
  const auto first = BytesOf({1, 2});
  const auto second = BytesOf({3});
  const std::vector<InputPart> parts = {{first, {}}, {second, {TRITONSERVER_MEMORY_CPU_PINNED, 0}}};
  const void* const joined = queue.Join(1, parts, first.size() + second.size());
  EXPECT_THAT(FloatsAt(joined, 3), ElementsAre(1, 2, 3));
  const std::vector<InputPart> again = {{second, {}}, {second, {}}};
  EXPECT_EQ(queue.Join(1, again, 2 * second.size()), joined);
  EXPECT_THAT(FloatsAt(joined, 2), ElementsAre(3, 3));
}

TEST(DeviceQueue, CopiesOutOfTheHost) {
  DeviceQueue queue{Placement{}};
  const auto source = BytesOf({1, 2, 3});
  std::vector<std::byte> destination(source.size());
  queue.CopyOut(source, destination, {});
  queue.Wait();
  EXPECT_THAT(FloatsOf(destination), ElementsAre(1, 2, 3));
}

TEST(Placement, WithoutADriverThereIsNoDevice) {
  if (CheckDevices().ok()) {
    GTEST_SKIP() << "this machine has a device";
  }
  EXPECT_THAT(CheckDevices().message(), HasSubstr("no GPU can be used"));
}

TEST(Tensors, EveryDatatypeComesBack) {
  for (int type = TRITONSERVER_TYPE_BOOL; type <= TRITONSERVER_TYPE_BF16; ++type) {
    const auto dtype = static_cast<TRITONSERVER_DataType>(type);
    const auto torch = TorchFromDataType(dtype);
    ASSERT_EQ(torch.has_value(), dtype != TRITONSERVER_TYPE_BYTES) << type;
    if (torch) {
      EXPECT_EQ(DataTypeFromTorch(*torch), dtype);
      EXPECT_EQ(c10::elementSize(*torch), TRITONSERVER_DataTypeByteSize(dtype));
    }
  }
  EXPECT_EQ(DataTypeFromTorch(at::kComplexFloat), TRITONSERVER_TYPE_INVALID);
}

TEST(Tensors, ExceptionsBecomeOneLine) {
  const Error checked = GuardedTorch("call", []() -> Error {
    TORCH_CHECK(false, "what is wrong");
    return {};
  });
  EXPECT_STREQ(checked.message(), "call: what is wrong");
  const Error interpreted = GuardedTorch("call", []() -> Error {
    throw std::runtime_error("Traceback of TorchScript:\n  File x\nRuntimeError: what is wrong\n");
  });
  EXPECT_STREQ(interpreted.message(), "call: RuntimeError: what is wrong");
}

}  // namespace
}  // namespace headrace::backend
