// What a handler keeps with a streaming call (net::GrpcCall::state) to hear of its end.
#ifndef HEADRACE_FRONTEND_GRPC_SESSION_H_
#define HEADRACE_FRONTEND_GRPC_SESSION_H_

#include <memory>
#include <utility>

#include "net/grpc.h"

namespace headrace::frontend {

// All on the call's loop.
class GrpcSession {
 public:
  virtual ~GrpcSession() = default;
  // The client sends no further message.
  virtual void OnHalfClose() {}
  // The call is over before its handler ended it.
  virtual void OnCancel() {}
  // The client has taken most of what was sent.
  virtual void OnDrained() {}

  static void Attach(net::GrpcCall& call, std::shared_ptr<GrpcSession> session) {
    call.state = std::move(session);
  }
  // Null if the call has none.
  static GrpcSession* Of(const net::GrpcCall& call) {
    return static_cast<GrpcSession*>(call.state.get());
  }
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_SESSION_H_
