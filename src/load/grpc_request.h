// One request of a gRPC transport, and what the transport does with it.
#ifndef HEADRACE_LOAD_GRPC_REQUEST_H_
#define HEADRACE_LOAD_GRPC_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "load/first_failure.h"
#include "load/grpc_frames.h"
#include "load/grpc_outcome.h"
#include "load/grpc_plan.h"
#include "load/h2_connection.h"
#include "load/infer_message.h"
#include "load/record.h"
#include "load/transport.h"
#include "net/gather_output.h"
#include "tensor/block_pool.h"

namespace headrace::load {

class GrpcRequest;
class GrpcStream;

// The transport, as its requests and streams see it.
class GrpcRequestOwner {
 public:
  virtual ~GrpcRequestOwner() = default;
  virtual const GrpcPlan& plan() const = 0;
  virtual FirstFailure& first_failure() = 0;
  virtual void OnResponse(GrpcRequest& request, Nanos when) = 0;
  virtual void OnEnding(GrpcRequest& request, Nanos when, GrpcEnding ending) = 0;
  // Nothing refers to it any more but the transport.
  virtual void OnFree(GrpcRequest& request) = 0;
  // The server did not begin with it: it may be sent again.
  virtual void OnRefused(GrpcRequest& request) = 0;
  // The request of that number that is out on `stream`, or null.
  virtual GrpcRequest* Find(std::uint64_t id, const GrpcStream& stream) = 0;
};

// Has the call of its own that a unary request needs; on a stream it is what waits for an answer
// there. Reused; one thread.
class GrpcRequest final : public H2Call {
 public:
  enum class State : std::uint8_t {
    kFree,
    kWaiting,  // for a connection
    kOut,
    kEnded,  // its end is told, and bytes or a stream of it are still with a connection
  };

  GrpcRequest(GrpcRequestOwner& owner, std::uint32_t index) : owner_(owner), index_(index) {}

  // Gives it a new number.
  void Begin(const Outgoing& request);
  // From the first byte on, once more.
  void Rewind();
  // Begins a stream of its own.
  bool Submit(H2Connection& connection, std::span<const nghttp2_nv> fields);

  // Never 0, never used twice; says the index too.
  std::uint64_t id() const { return generation_ << kIndexBits | index_; }
  static std::uint32_t IndexOf(std::uint64_t id) { return id & ((1u << kIndexBits) - 1); }
  const Outgoing& outgoing() const { return outgoing_; }
  const GoldenOutputs* golden() const;  // null: the answer is not looked at
  // Whether `message`, whole, is the right answer; what is wrong of it is noted. Compressed ones
  // are inflated by `encoding`.
  Outcome Check(const GrpcFrame& message, net::GrpcEncoding encoding) const;

  State state = State::kFree;
  bool sent = false;      // OnSent has been told
  bool cold = false;      // over a connection that carried none before
  bool resent = false;    // after a refusal
  bool answered = false;  // on a stream: a response was looked at
  Outcome answer_outcome = Outcome::kOk;
  H2Connection* connection = nullptr;  // of a unary call
  GrpcStream* stream = nullptr;        // that it is on
  InferMessageCursor body;
  std::size_t stream_position = 0;  // for `stream`

 private:
  static constexpr int kIndexBits = 24;

  void OnHeader(std::string_view name, std::string_view value) override {
    fields_.Take(name, value);
  }
  void OnData(std::string_view bytes) override;
  void OnClosed(std::uint32_t error_code) override;
  std::size_t ReadyByteSize(bool& last) override {
    last = true;
    return body.left();
  }
  void AppendBody(net::GatherOutput& out, std::size_t byte_size) override {
    body.AppendTo(out, byte_size);
  }

  GrpcRequestOwner& owner_;
  const std::uint32_t index_;
  std::uint64_t generation_ = 0;
  Outgoing outgoing_;

  // Of a unary answer.
  GrpcAnswerFields fields_;
  GrpcFrames frames_;
  std::uint32_t message_count_ = 0;
  bool malformed_ = false;
};

// `message` inflated into `out`. False: it cannot be.
bool InflateMessage(const GrpcFrame& message, net::GrpcEncoding encoding, BlockPool& pool,
                    std::string& out);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_REQUEST_H_
