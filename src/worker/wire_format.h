// The fixed parts of the messages as they lie in memory: little-endian, no padding. Only the codec
// sees this.
#ifndef HEADRACE_WORKER_WIRE_FORMAT_H_
#define HEADRACE_WORKER_WIRE_FORMAT_H_

#include <bit>
#include <cstdint>

namespace headrace::worker {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint32_t kMagic = 0x31575248;  // "HRW1"
inline constexpr std::uint32_t kResponseFinal = 1;
inline constexpr std::uint32_t kResponseError = 2;
inline constexpr std::uint32_t kResponseRescheduled = 4;
inline constexpr std::uint32_t kResponseEndsSequence = 8;

struct HeadFormat {
  std::uint32_t magic;
  std::uint16_t type, flags;
  std::uint64_t body_size, body_offset;
};
static_assert(sizeof(HeadFormat) == 24);

struct ExecuteFormat {
  std::uint32_t request_count, zero;
  std::uint64_t block_offset, block_size;
};
static_assert(sizeof(ExecuteFormat) == 24);

struct CountFormat {
  std::uint32_t count, zero;
};
static_assert(sizeof(CountFormat) == 8);

struct RequestFormat {
  std::uint64_t key, correlation_id, timeout_us;
  std::uint32_t flags, cancel_slot, tensor_count, extras_size;
};
static_assert(sizeof(RequestFormat) == 40);

struct ResponseFormat {
  std::uint64_t key;
  std::uint32_t flags, tensor_count, extras_size, zero;
};
static_assert(sizeof(ResponseFormat) == 24);

struct TensorFormat {
  std::uint64_t offset, byte_size;
  std::uint16_t name_index;
  std::uint8_t dtype, rank;
  std::uint16_t name_size, zero;
};
static_assert(sizeof(TensorFormat) == 24);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_WIRE_FORMAT_H_
