#include "protocol/shared_memory_json.h"

#include "protocol/json_cursor.h"
#include "protocol/v2_parameters.h"

namespace headrace::protocol {
namespace {

constexpr std::size_t kDepthMax = 64;

}  // namespace

Result<SystemSharedMemoryRegisterRequest> ParseSystemSharedMemoryRegisterRequest(
    std::string_view body) {
  SystemSharedMemoryRegisterRequest request;
  JsonCursor cursor;
  bool has_key = false;
  bool has_byte_size = false;
  cursor.Open(body, kDepthMax);
  for (std::string_view name; cursor.NextField(name);) {
    bool read = true;
    if (name == "key") {
      std::string_view text;
      read = cursor.ReadString(text);
      request.key = text;
      has_key = true;
    } else if (name == "offset") {
      read = cursor.ReadUint(request.offset);
    } else if (name == "byte_size") {
      read = cursor.ReadUint(request.byte_size);
      has_byte_size = true;
    } else {
      cursor.Skip();
    }
    if (!read) {
      return FieldError(cursor, FieldPath(), name);
    }
  }
  cursor.Close();
  HEADRACE_RETURN_IF_ERROR(cursor.status());
  if (!has_key || !has_byte_size) {
    const std::string_view missing = has_key ? "byte_size" : "key";
    return InvalidArgument(
        "Unable to parse '{}': attempt to access non-existing object member '{}'", missing,
        missing);
  }
  return request;
}

}  // namespace headrace::protocol
