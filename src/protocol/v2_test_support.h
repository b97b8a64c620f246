// What the tests of the v2 codec share: bodies placed as the front end places them, and one-line
// parsing.
#ifndef HEADRACE_PROTOCOL_V2_TEST_SUPPORT_H_
#define HEADRACE_PROTOCOL_V2_TEST_SUPPORT_H_

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "protocol/v2_json.h"
#include "tensor/block_pool.h"

namespace headrace::protocol {

class CodecFixture {
 public:
  // A body as it arrives, in a pool block. What follows it is another token each time, which no
  // reader may take for its own.
  Buffer Place(std::string_view bytes) {
    constexpr std::string_view kBehind = "},]\"1:[{ \\et";
    MutableBuffer buffer = pool.Allocate(bytes.size() + BlockPool::kPadding).value();
    std::memset(buffer.data(), kBehind[placed_++ % kBehind.size()], buffer.size());
    if (!bytes.empty()) {
      std::memcpy(buffer.data(), bytes.data(), bytes.size());
    }
    return std::move(buffer).Freeze().Slice(0, bytes.size());
  }
  Result<V2InferRequest> Parse(std::string_view json) {
    return parser.ParseInferRequest(Place(json), std::nullopt, "m", limits, pool);
  }
  Result<V2InferRequest> Parse(std::string_view json, std::string_view binary) {
    return parser.ParseInferRequest(Place(std::string(json) + std::string(binary)), json.size(),
                                    "m", limits, pool);
  }
  // The message of the failure, or "" if there was none.
  std::string Error(std::string_view json) { return Parse(json).status().message(); }
  // One input named x.
  std::string ErrorOfData(std::string_view dtype, std::string_view shape, std::string_view data) {
    return Error(Request(dtype, shape, data));
  }
  static std::string Request(std::string_view dtype, std::string_view shape,
                             std::string_view data) {
    return fmt::format(R"({{"inputs":[{{"name":"x","datatype":"{}","shape":{},"data":{}}}]}})",
                       dtype, shape, data);
  }
  template <typename T>
  std::vector<T> Data(std::string_view dtype, std::string_view shape, std::string_view data) {
    Result<V2InferRequest> request = Parse(Request(dtype, shape, data));
    if (!request.ok()) {
      return {};
    }
    const Buffer& bytes = request->inputs[0].tensor.data;
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!bytes.empty()) {
      std::memcpy(values.data(), bytes.data(), bytes.size());
    }
    return values;
  }

  BlockPool pool;
  V2JsonParser parser;
  V2JsonLimits limits;

 private:
  std::size_t placed_ = 0;
};

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_V2_TEST_SUPPORT_H_
