// The messages between the server and a worker as bytes (docs/workers.md). Pure.
//
// Decoding is a border of trust: whatever a worker sends is checked against what the server itself
// knows, and the first thing that breaks the rules is INVALID_ARGUMENT, which ends the worker. The
// bytes to decode are the server's own copy: nothing is read twice from shared memory.
#ifndef HEADRACE_WORKER_WIRE_H_
#define HEADRACE_WORKER_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace headrace::worker {

enum class MessageType : std::uint16_t {
  // Call channel.
  kHello = 1,
  kLoad = 2,
  kLoaded = 3,
  kExecute = 4,
  kExecuted = 5,
  kCompleteConfig = 6,
  kConfig = 7,
  kFinalize = 8,
  kFinalized = 9,
  kPrepare = 10,
  kPrepared = 11,
  kFork = 12,
  kForked = 13,
  // Side channel.
  kResponse = 16,
  kRelease = 17,
  kDropped = 18,
  kLog = 19,
  kMetric = 20,
  kCall = 21,
  kCallResponse = 22,
  kCallCancel = 23,
  kControl = 24,
  kReply = 25,
  kIsReady = 26,
  kReadiness = 27,
};

inline constexpr std::size_t kHeadByteSize = 24;
inline constexpr std::size_t kPacketBodyByteSizeMax = 65'536;
inline constexpr std::uint64_t kBodyByteSizeMax = std::uint64_t{64} << 20;
inline constexpr std::uint16_t kFlagBodyInRegion = 0x8000;
inline constexpr std::uint16_t kFlagBlockFree = 1;  // of EXECUTED
inline constexpr std::uint16_t kFlagAllRead = 1;    // of EXECUTE: whatever the worker has answered
inline constexpr std::uint32_t kNoCancelSlot = 0xFFFFFFFF;
inline constexpr std::uint16_t kNameFollows = 0xFFFF;

struct Head {
  MessageType type = MessageType::kHello;
  std::uint16_t flags = 0;
  std::uint64_t body_size = 0;
  std::uint64_t body_offset = 0;  // with kFlagBodyInRegion
};

// Writes kHeadByteSize bytes.
void EncodeHead(const Head& head, std::byte* out);
// Of the whole packet: magic, type, flags, and a body that is as long as the head says.
Result<Head> DecodeHead(std::span<const std::byte> packet);

// A tensor whose bytes lie in the data region.
struct WireTensor {
  std::uint64_t offset = 0, byte_size = 0;
  DataType dtype = DataType::kInvalid;
  Shape shape{};
  std::uint16_t name_index = kNameFollows;  // into the model's names, when encoded
  std::string_view name{};                  // borrowed
};

struct WireRequest {
  std::uint64_t key = 0, correlation_id = 0, timeout_us = 0;
  std::uint32_t sequence_flags = 0;
  std::uint32_t cancel_slot = kNoCancelSlot;
  std::span<const WireTensor> tensors{};
  std::string_view extras{};  // JSON object, or empty
};

struct WireResponse {
  std::uint64_t key = 0;
  bool final = false, error = false;
  bool rescheduled = false;  // of an iterative sequence: to be executed once more
  bool ends_sequence = false;
  std::span<const WireTensor> tensors{};
  std::string_view extras{};
};

// Bodies, appended to `out`, whose size must be a multiple of 8 before.
void AppendExecute(std::string& out, std::uint32_t request_count, std::uint64_t block_offset,
                   std::uint64_t block_size);
void AppendRequest(std::string& out, const WireRequest& request);
void AppendResponseCount(std::string& out, std::uint32_t response_count);
void AppendResponse(std::string& out, const WireResponse& response);
void AppendRelease(std::string& out, std::span<const std::uint64_t> offsets);

// Where the bytes of a tensor may lie.
struct ByteRange {
  std::uint64_t begin = 0, end = 0;
  bool Holds(std::uint64_t offset, std::uint64_t byte_size) const {
    return offset >= begin && offset <= end && byte_size <= end - offset;
  }
};

struct DecodeRules {
  ByteRange worker_half;
  ByteRange block{};                     // of the EXECUTE that is answered; empty: none
  std::span<const std::string> names{};  // that an index means
  std::uint32_t count_max = 1;           // responses of one message
};

// Keeps the memory of what it decoded last; what a call returns is valid until the next, and as
// long as `body`. `body` must be followed by 64 readable bytes (the JSON reader's).
class WireDecoder {
 public:
  // EXECUTED and RESPONSE.
  Result<std::span<const WireResponse>> Responses(std::span<const std::byte> body,
                                                  const DecodeRules& rules);
  // CALL.
  Result<WireRequest> Request(std::span<const std::byte> body, const DecodeRules& rules);
  // RELEASE and DROPPED: offsets, or keys.
  Result<std::span<const std::uint64_t>> Numbers(std::span<const std::byte> body);

 private:
  struct Tensors {
    std::size_t first = 0, count = 0;
  };
  class Reader;
  Status ReadTensors(Reader& reader, std::uint32_t count, const DecodeRules& rules);

  std::vector<WireTensor> tensors_;
  std::vector<Tensors> tensors_of_;  // of each response, until their vector has stopped growing
  std::vector<WireResponse> responses_;
  std::vector<std::uint64_t> numbers_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_WIRE_H_
