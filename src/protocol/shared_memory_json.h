// Reads the JSON bodies of the shared memory endpoints (contracts, Triton 1.11). Bodies must be
// followed by JsonCursor::kPadding readable bytes. Errors: INVALID_ARGUMENT naming the member.
#ifndef HEADRACE_PROTOCOL_SHARED_MEMORY_JSON_H_
#define HEADRACE_PROTOCOL_SHARED_MEMORY_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::protocol {

// `{"key": str, "offset": uint?, "byte_size": uint}`
struct SystemSharedMemoryRegisterRequest {
  std::string key;
  std::uint64_t offset = 0;
  std::uint64_t byte_size = 0;
};
Result<SystemSharedMemoryRegisterRequest> ParseSystemSharedMemoryRegisterRequest(
    std::string_view body);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_SHARED_MEMORY_JSON_H_
