// The access log: one line for each HTTP request and each gRPC call that is answered (contracts,
// TorchServe 3.3).
#ifndef HEADRACE_TORCHSERVE_ACCESS_LOG_H_
#define HEADRACE_TORCHSERVE_ACCESS_LOG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "net/grpc.h"
#include "net/http.h"
#include "torchserve/log_lines.h"

namespace headrace::torchserve {

// "/127.0.0.1", as far as the transport knows it (net/peer_key.h).
std::string PeerText(std::uint64_t peer);

// `/127.0.0.1 "GET /ping HTTP/1.1" 200 3`, `/127.0.0.1 "gRPC package.Service/Method HTTP/2.0" 0 3`:
// the time is milliseconds from the request's first byte to the answer's, of a call to its end. The
// code of a call is gRPC's number; one whose client has gone is 1, CANCELLED. About a microsecond
// each. Thread-safe.
class AccessLog final : public net::HttpAnswerObserver, public net::GrpcCallObserver {
 public:
  // Both borrowed.
  AccessLog(LogLines& lines, const Clock& clock) : lines_(lines), clock_(clock) {}
  void OnAnswer(const net::HttpExchange& exchange, int status) override;
  void OnEnd(const net::GrpcCall& call, StatusCode code) override;

 private:
  LogLines& lines_;
  const Clock& clock_;
};

// Puts an observer to all requests of another handler.
class ObservedHandler final : public net::HttpHandler {
 public:
  // Both borrowed.
  ObservedHandler(net::HttpHandler& handler, net::HttpAnswerObserver& observer)
      : handler_(handler), observer_(observer) {}
  net::BodyPlan OnHead(const net::HttpRequestHead& head) override { return handler_.OnHead(head); }
  void OnRequest(net::HttpExchangeRef exchange) override {
    exchange->AddObserver(observer_);
    handler_.OnRequest(std::move(exchange));
  }

 private:
  net::HttpHandler& handler_;
  net::HttpAnswerObserver& observer_;
};

// The same for gRPC. Methods that there are not leave no line, as in TorchServe.
class ObservedGrpcHandler final : public net::GrpcHandler {
 public:
  // Both borrowed.
  ObservedGrpcHandler(net::GrpcHandler& handler, net::GrpcCallObserver& observer)
      : handler_(handler), observer_(observer) {}
  net::GrpcCallPlan OnCall(const net::GrpcRequestHead& head) override {
    net::GrpcCallPlan plan = handler_.OnCall(head);
    plan.observer = plan.refusal.code() == StatusCode::kUnimplemented ? nullptr : &observer_;
    return plan;
  }
  std::uint64_t AlignedOffset(const net::GrpcRequestHead& head, std::uint32_t method,
                              std::string_view begin, std::uint64_t byte_size) override {
    return handler_.AlignedOffset(head, method, begin, byte_size);
  }
  void OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) override {
    handler_.OnMessage(call, std::move(message));
  }
  void OnHalfClose(const net::GrpcCallRef& call) override { handler_.OnHalfClose(call); }
  void OnCancel(const net::GrpcCallRef& call) override { handler_.OnCancel(call); }
  void OnDrained(const net::GrpcCallRef& call) override { handler_.OnDrained(call); }

 private:
  net::GrpcHandler& handler_;
  net::GrpcCallObserver& observer_;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_ACCESS_LOG_H_
