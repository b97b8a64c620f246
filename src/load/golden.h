// Whether an answer is the one that was expected. Answers are outside bytes: nothing is trusted.
#ifndef HEADRACE_LOAD_GOLDEN_H_
#define HEADRACE_LOAD_GOLDEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/workload.h"

namespace headrace::load {

// Why an answer is wrong: "output 'OUTPUT0'[3]: 2.5, expected 2". Nothing when it is right.
using Mismatch = std::optional<std::string>;

// Two tensors are equal when datatype, shape and elements are. Numbers x and the expected y:
// |x - y| <= absolute + relative * |y|; NaN equals NaN, infinities only themselves. Integers, BOOL
// and BYTES are compared exactly (integers with the tolerances where one is 1 or more). Outputs
// that are not expected are passed over; shapes may differ in leading ones.
Mismatch CompareOutputs(const GoldenOutputs& golden, const std::vector<TensorContent>& outputs);

// The outputs of a v2 answer over HTTP. `json_byte_size`: of the header
// Inference-Header-Content-Length, where there was one. INVALID_ARGUMENT: it is none.
Result<std::vector<TensorContent>> ReadHttpAnswer(std::string_view body,
                                                  std::optional<std::uint64_t> json_byte_size);
// The outputs of a ModelInferResponse.
Result<std::vector<TensorContent>> ReadGrpcAnswer(std::string_view message);

// The three ways in one step; an answer that cannot be read is wrong, with that as the reason.
Mismatch CompareHttpAnswer(const GoldenOutputs& golden, std::string_view body,
                           std::optional<std::uint64_t> json_byte_size);
Mismatch CompareGrpcAnswer(const GoldenOutputs& golden, std::string_view message);
// Protocols without tensors: equal bytes, or equal JSON with numbers within the tolerances.
Mismatch CompareBody(const GoldenOutputs& golden, std::string_view body);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GOLDEN_H_
