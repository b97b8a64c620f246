// ModelInferRequests that are encoded before the run, and what is added to one when it is sent.
#ifndef HEADRACE_LOAD_INFER_MESSAGE_H_
#define HEADRACE_LOAD_INFER_MESSAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/shared_memory.h"
#include "load/workload.h"
#include "net/gather_output.h"
#include "net/grpc_text.h"

namespace headrace::load {

// What differs between two requests with the same tensors.
struct InferMessageHead {
  std::uint64_t id = 0;           // sent as decimal digits
  std::uint64_t sequence_id = 0;  // 0 = none
  bool sequence_start = false;
  bool sequence_end = false;
};

// One content of an item, as gRPC carries it. The tensors' bytes stay where they are. Immutable;
// lives as long as the requests that send it.
//
// A compressed message is made of two parts, so that its head can differ: the head as a stored
// block of deflate, and everything else, deflated once. Only the checksum behind them is new.
class InferMessage {
 public:
  struct Options {
    bool streaming = false;  // asks for the empty final response of decoupled models
    net::GrpcEncoding encoding = net::GrpcEncoding::kIdentity;
    const SharedMemory* shared_memory = nullptr;  // where the tensors lie, if they do
  };
  // INVALID_ARGUMENT names the item and the tensor or parameter.
  static Result<InferMessage> Encode(const Workload& workload, std::size_t item,
                                     std::size_t content, const Options& options);

  // In order, between a head and a tail.
  std::span<const std::string_view> pieces() const { return pieces_; }
  std::size_t pieces_byte_size() const { return pieces_byte_size_; }

 private:
  friend class InferMessageCursor;

  Status Deflate();

  net::GrpcEncoding encoding_ = net::GrpcEncoding::kIdentity;
  std::unique_ptr<std::string> owned_;  // what is between the tensors' bytes
  std::vector<std::string_view> pieces_;
  std::size_t pieces_byte_size_ = 0;
  std::size_t inflated_byte_size_ = 0;  // of the pieces, before compression
  std::uint32_t checksum_ = 0;          // of the same
};

// One message on its way out, with its five bytes of length in front. A plain value.
class InferMessageCursor {
 public:
  void Begin(const InferMessage& message, const InferMessageHead& head);

  std::size_t left() const { return left_; }
  bool untouched() const { return left_ == whole_; }
  // Moves the next `byte_size` bytes (left() at most) to `out`. Payloads are referred to.
  void AppendTo(net::GatherOutput& out, std::size_t byte_size);

 private:
  std::string_view Part(std::size_t index) const;

  const InferMessage* message_ = nullptr;
  std::size_t part_ = 0;    // 0 = the head, then the pieces, then the tail
  std::size_t offset_ = 0;  // in that part
  std::size_t left_ = 0;
  std::size_t whole_ = 0;
  std::size_t head_byte_size_ = 0;
  std::size_t tail_byte_size_ = 0;
  std::array<char, 176> head_;
  std::array<char, 8> tail_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_INFER_MESSAGE_H_
