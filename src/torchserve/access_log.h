// The access log: one line for each HTTP request that is answered (contracts, TorchServe 3.3).
#ifndef HEADRACE_TORCHSERVE_ACCESS_LOG_H_
#define HEADRACE_TORCHSERVE_ACCESS_LOG_H_

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "net/http.h"
#include "torchserve/log_lines.h"

namespace headrace::torchserve {

// "/127.0.0.1", as far as the transport knows it (net/peer_key.h).
std::string PeerText(std::uint64_t peer);

// `/127.0.0.1 "GET /ping HTTP/1.1" 200 3`: the time is milliseconds from the request's first byte
// to the answer's. About a microsecond each. Thread-safe.
class AccessLog final : public net::HttpAnswerObserver {
 public:
  // Both borrowed.
  AccessLog(LogLines& lines, const Clock& clock) : lines_(lines), clock_(clock) {}
  void OnAnswer(const net::HttpExchange& exchange, int status) override;

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

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_ACCESS_LOG_H_
