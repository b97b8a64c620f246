#include "onnxruntime/session_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

using ::testing::HasSubstr;

TEST(SessionProfileTest, TraceEvents_HaveTheWorkOfTheirShapes) {
  OperatorProfile profile;
  AddTraceEvents(R"([
      {"cat": "Session", "name": "model_run", "ts": 1, "dur": 90, "tid": 7, "args": {}},
      {"cat": "Node", "name": "fc_kernel_time", "ts": 5, "dur": 20, "tid": 7,
       "args": {"op_name": "Gemm", "provider": "CPUExecutionProvider", "output_size": "40",
                "input_type_shape": [{"float": [2, 6]}, {"float": [6, 5]}],
                "output_type_shape": [{"float": [2, 5]}]}},
      {"cat": "Node", "name": "odd_kernel_time", "ts": 30, "dur": 20, "tid": 7,
       "args": {"op_name": "Softmax", "input_type_shape": [{"string": [2]}, 5],
                "output_type_shape": "none"}}])",
                 1'000, false, &profile);
  ASSERT_EQ(profile.events.size(), 2u);
  const OperatorEvent& gemm = profile.events[0];
  EXPECT_EQ(gemm.name, "fc");
  EXPECT_EQ(gemm.start_ns, 6'000);
  EXPECT_EQ(gemm.duration_ns, 20'000);
  EXPECT_EQ(gemm.byte_size, 40u);
  EXPECT_EQ(gemm.work.flops, 120u);
  EXPECT_EQ(gemm.work.moved_byte_size, 4u * (12 + 30 + 10));
  EXPECT_EQ(gemm.shapes, "");
  EXPECT_EQ(profile.events[1].work.moved_byte_size, 0u);
}

TEST(SessionProfileTest, TraceEvents_SayWhatDoesNotRead) {
  OperatorProfile profile;
  AddTraceEvents("{", 0, false, &profile);
  EXPECT_THAT(profile.note, HasSubstr("does not read"));
}

}  // namespace
}  // namespace headrace::backend
