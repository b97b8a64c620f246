// A server on a free loopback port whose answers are what a test's function says.
#ifndef HEADRACE_LOAD_TESTING_SCRIPTED_SERVER_H_
#define HEADRACE_LOAD_TESTING_SCRIPTED_SERVER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "load/target.h"
#include "net/http_server.h"
#include "tensor/block_pool.h"

namespace headrace::load::testing {

struct ScriptedRequest {
  std::string method, target, body;  // gRPC: "", the path, the message
};

struct ScriptedAnswer {
  int status = 200;
  std::string body;
  Status grpc_status;  // of a call; `body` is its message
};

// Serves HTTP/1.1 and unary gRPC on one port. The script runs on the server's loop.
class ScriptedServer final : public net::HttpHandler, public net::GrpcHandler {
 public:
  using Script = std::function<ScriptedAnswer(const ScriptedRequest&)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    auto server = net::HttpServer::Create({.loop_count = 1}, pool_, Clock::Real());
    HEADRACE_CHECK(server.ok());
    server_ = std::move(server).value();
    const auto port = server_->AddListener(net::ListenerOptions(), *this, this);
    HEADRACE_CHECK(port.ok());
    target_.port = *port;
  }

  const TargetSpec& target() const { return target_; }
  std::string Url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}{}", target_.port, path);
  }
  // What has come so far.
  std::vector<ScriptedRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  net::BodyPlan OnHead(const net::HttpRequestHead&) override {
    net::BodyPlan plan;
    plan.byte_size_max = 64 << 20;
    return plan;
  }
  void OnRequest(net::HttpExchangeRef exchange) override {
    const ScriptedAnswer answer =
        Ask({std::string(net::HttpMethodName(exchange->head().method)),
             std::string(exchange->head().target), std::string(exchange->body().view())});
    net::HttpResponse response;
    response.status = answer.status;
    response.body.push_back(Buffer::CopyOf(answer.body));
    exchange->Respond(std::move(response));
  }
  net::GrpcCallPlan OnCall(const net::GrpcRequestHead&) override { return {}; }
  void OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) override {
    std::string bytes;
    for (const Buffer& buffer : message) {
      bytes += buffer.view();
    }
    const ScriptedAnswer answer = Ask({"", std::string(call->head().path), std::move(bytes)});
    if (answer.grpc_status.ok()) {
      call->Send({Buffer::CopyOf(answer.body)});
    }
    call->Finish(answer.grpc_status);
  }
  void OnHalfClose(const net::GrpcCallRef&) override {}
  void OnCancel(const net::GrpcCallRef&) override {}
  void OnDrained(const net::GrpcCallRef&) override {}

 private:
  ScriptedAnswer Ask(ScriptedRequest request) {
    const ScriptedAnswer answer = script_(request);
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    return answer;
  }

  const Script script_;
  mutable std::mutex mutex_;  // guards requests_
  std::vector<ScriptedRequest> requests_;
  BlockPool pool_;
  TargetSpec target_;
  std::unique_ptr<net::HttpServer> server_;  // the last: it calls the rest
};

}  // namespace headrace::load::testing

#endif  // HEADRACE_LOAD_TESTING_SCRIPTED_SERVER_H_
