// StreamPredictions2: requests of sequences on one call (contracts, TorchServe 4.3).
#ifndef HEADRACE_TORCHSERVE_GRPC_SEQUENCE_STREAM_H_
#define HEADRACE_TORCHSERVE_GRPC_SEQUENCE_STREAM_H_

#include <cstddef>
#include <memory>
#include <set>
#include <string>

#include "frontend/grpc_session.h"
#include "net/grpc.h"
#include "torchserve/grpc_method.h"

namespace headrace::torchserve {

// Each message of the client is a request, whose answers carry its sequence's id; one that fails is
// answered by a message with `status`, and the call goes on. The call ends when the client has
// ended its side and every request is answered (TorchServe ends it at once, and loses answers). A
// client with as many requests in flight as a stream may have is not read from for a while. On the
// call's loop.
class GrpcSequenceStream final : public frontend::GrpcSession {
 public:
  // More sequences of one call are all told to begin with each message.
  static constexpr std::size_t kSequenceCountMax = 10'000;

  // The handler of the method: makes the session with the first message.
  static void OnMessage(GrpcApiCall& call);

  void OnHalfClose() override;

 private:
  class Receiver;

  GrpcSequenceStream(net::GrpcCall& call, const frontend::Services& services)
      : call_(call), services_(services) {}
  void Take(GrpcApiCall& call);
  void Ended();

  net::GrpcCall& call_;  // owns this
  const frontend::Services& services_;
  std::set<std::string> sequences_;  // that have begun on this call
  std::size_t in_flight_ = 0;
  bool paused_ = false, half_closed_ = false;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_GRPC_SEQUENCE_STREAM_H_
