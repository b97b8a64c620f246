// One ModelStreamInfer call: many requests in flight, their responses as they come (contracts,
// Triton 2.4).
#ifndef HEADRACE_FRONTEND_GRPC_STREAM_H_
#define HEADRACE_FRONTEND_GRPC_STREAM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "engine/model.h"
#include "engine/response_sink.h"
#include "frontend/grpc_call.h"
#include "frontend/grpc_session.h"
#include "frontend/infer_reply.h"
#include "frontend/posted_bytes.h"
#include "net/event_loop.h"

namespace headrace::frontend {

// Order: requests to ordinary models are answered in the order in which they came; the responses of
// decoupled models are sent as they come, in order within each request.
//
// Limits: with `grpc_stream_request_count_max` requests in flight, or kUnsentPauseByteSize of
// answers that the client has not taken, no further request is read. A decoupled model makes
// responses whether or not anybody takes them: beyond `grpc_stream_unsent_byte_size_max` its
// request ends with RESOURCE_EXHAUSTED.
//
// On the call's loop, but for what is said to be for any thread. Lives as long as the call or any
// of its requests.
class GrpcInferStream final : public GrpcSession,
                              public std::enable_shared_from_this<GrpcInferStream> {
 public:
  static constexpr std::uint64_t kUnsentPauseByteSize = std::uint64_t{1} << 20;

  // `call` owns this.
  GrpcInferStream(net::GrpcCall& call, const Services& services);
  ~GrpcInferStream() override;

  void OnRequest(GrpcContext& context);
  void OnHalfClose() override;
  void OnCancel() override;
  void OnDrained() override;

 private:
  struct Request;
  class Sink;
  class ResponseTask;
  class FinishTask;

  // A request of an ordinary model whose answer waits for those in front of it.
  struct Slot {
    std::optional<net::GrpcMessage> message;
    Status status;  // of a failure; for strict streams
  };

  void OnResponse(Request& request, engine::InferResponse response);
  void OnFinish(Request& request, Status status);
  // The answer of an ordinary request.
  void Fill(std::uint64_t slot, net::GrpcMessage message, Status status);
  void SendReady();
  net::GrpcMessage Encode(const Request& request, engine::InferResponse& response, bool final,
                          Status& status) const;
  net::GrpcMessage EncodeError(const Request& request, const Status& status, bool final) const;
  void SendMessage(net::GrpcMessage message);
  // Tells of a failure: in the stream, or by the end of a strict one. False if that ended it.
  bool SendFailure(net::GrpcMessage message, const Status& status);
  void End(Status status);
  // Reads, or not, as the limits say; ends the stream when all is done.
  void Settle();

  net::GrpcCall* call_;  // null once the call is over
  net::EventLoop& loop_;
  const Services& services_;
  const bool strict_;  // the first failure ends the call
  bool half_closed_ = false;
  bool paused_ = false;
  std::size_t in_flight_ = 0;
  std::deque<Slot> slots_;
  std::uint64_t first_slot_ = 0;   // the number of slots_.front()
  std::atomic<bool> over_{false};  // any thread: nobody waits for answers any more
  PostedBytes posted_bytes_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_STREAM_H_
