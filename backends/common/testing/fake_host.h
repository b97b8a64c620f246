// A server for unit tests of backends: the handles of the interface, as much as backends/common
// asks of them, filled and looked at by the test.
#ifndef HEADRACE_BACKENDS_COMMON_TESTING_FAKE_HOST_H_
#define HEADRACE_BACKENDS_COMMON_TESTING_FAKE_HOST_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/input_gatherer.h"
#include "triton_abi.h"

// The handles are the interface's own opaque types.
struct TRITONSERVER_Error {
  TRITONSERVER_Error_Code code;
  std::string message;
};

struct TRITONBACKEND_Input {
  struct Buffer {
    std::vector<std::byte> bytes;
    headrace::backend::MemoryPlace place;
  };
  std::string name;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_FP32;
  std::vector<std::int64_t> shape;
  std::vector<Buffer> buffers;

  std::size_t byte_size() const;
};

struct TRITONBACKEND_Output {
  TRITONBACKEND_Request* request = nullptr;
  std::string name;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
  headrace::backend::MemoryPlace preferred;  // what the backend asked for
  headrace::backend::MemoryPlace place;      // what it got
};

struct TRITONBACKEND_State {
  std::string name;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
  int update_count = 0;
};

struct TRITONBACKEND_Response {
  TRITONBACKEND_Request* request = nullptr;
};

struct TRITONBACKEND_Request {
  std::deque<TRITONBACKEND_Input> inputs;
  std::vector<std::string> wanted;
  // Where output memory is given, whatever is preferred; nothing: where it is preferred.
  std::optional<headrace::backend::MemoryPlace> output_place;

  // What became of it.
  std::deque<TRITONBACKEND_Output> outputs;
  std::deque<TRITONBACKEND_State> states;
  std::optional<std::string> error;
  int answer_count = 0;
  int release_count = 0;
};

namespace headrace::backend::testing {

// Floats as a request's bytes, and back.
std::vector<std::byte> BytesOf(const std::vector<float>& values);
std::vector<float> FloatsOf(const std::vector<std::byte>& bytes);

}  // namespace headrace::backend::testing

#endif  // HEADRACE_BACKENDS_COMMON_TESTING_FAKE_HOST_H_
