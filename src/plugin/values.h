// The values that cross the Triton interface: errors, JSON messages, buffer attributes, parameters.
//
// The interface names these types and nobody outside this folder sees inside them. All are plain
// values owned by whoever received them; not thread-safe.
#ifndef HEADRACE_PLUGIN_VALUES_H_
#define HEADRACE_PLUGIN_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/status.h"
#include "triton_abi.h"

struct TRITONSERVER_Error {
  TRITONSERVER_Error_Code code;
  std::string message;
};

struct TRITONSERVER_Message {
  std::string json;
};

struct TRITONSERVER_BufferAttributes {
  TRITONSERVER_MemoryType memory_type = TRITONSERVER_MEMORY_CPU;
  std::int64_t memory_type_id = 0;
  void* cuda_ipc_handle = nullptr;
  std::size_t byte_size = 0;
};

struct TRITONSERVER_Parameter {
  std::string name;
  TRITONSERVER_ParameterType type;
  std::variant<std::string, std::int64_t, bool, double> value;
  const void* bytes = nullptr;  // type BYTES: borrowed, as the interface says
  std::uint64_t bytes_size = 0;
};

namespace headrace::plugin {

// A new error for the other side, which owns it; null for success.
TRITONSERVER_Error* ToTriton(const Status& status);
// A status with the error's code and text. Does not take the error; null is success.
Status FromTriton(TRITONSERVER_Error* error);
// The same, and deletes it.
Status TakeTriton(TRITONSERVER_Error* error);

// The entry's answer to a call that it cannot make sense of.
TRITONSERVER_Error* RefuseCall(const char* text);

// Runs the body of an entry. Nothing thrown may cross the interface.
template <typename Body>
TRITONSERVER_Error* Answer(Body&& body) {
  try {
    return body();
  } catch (const std::exception& exception) {
    return ToTriton(Internal("{}", exception.what()));
  }
}

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_VALUES_H_
