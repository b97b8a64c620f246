// A gRPC server of GRPCInferenceService for tests: what it does with a request, its model's name
// says.
#ifndef HEADRACE_LOAD_TESTING_INFER_STUB_H_
#define HEADRACE_LOAD_TESTING_INFER_STUB_H_

#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/event_loop.h"
#include "net/grpc.h"
#include "net/http_server.h"
#include "protocol/v2_proto.h"
#include "tensor/block_pool.h"

namespace headrace::load {

// "echo" answers the inputs as outputs; "many/N" N times on streams, then with the empty final
// response; "code/N" ends with gRPC's code N, on streams with an error message; "mute" is kept and
// not answered; "no_message" ends well without one.
class InferStub final : public net::GrpcHandler {
 public:
  struct Seen {
    std::string path, model, id;
    std::vector<std::pair<std::string, std::string>> metadata;
    protocol::V2ProtoRequest request;
  };

  explicit InferStub(net::ListenerOptions options = {}) : InferStub(std::move(options), 0) {}
  // On a port that was another's before.
  InferStub(net::ListenerOptions options, std::uint16_t port) {
    auto server = net::HttpServer::Create({}, pool_, Clock::Real());
    HEADRACE_CHECK(server.ok());
    server_ = *std::move(server);
    options.port = port;
    auto bound = server_->AddGrpcListener(std::move(options), *this);
    HEADRACE_CHECK(bound.ok());
    port_ = *bound;
  }
  ~InferStub() override { server_.reset(); }

  std::uint16_t port() const { return port_; }
  net::HttpServer& server() { return *server_; }
  // The next request that came; waits for it.
  Seen WaitSeen() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !seen_.empty(); });
    Seen seen = std::move(seen_.front());
    seen_.pop_front();
    return seen;
  }
  std::uint64_t cancelled_count() {
    const std::lock_guard lock(mutex_);
    return cancelled_count_;
  }

  net::GrpcCallPlan OnCall(const net::GrpcRequestHead& head) override {
    net::GrpcCallPlan plan;
    plan.streaming = head.path == "/inference.GRPCInferenceService/ModelStreamInfer";
    plan.method = plan.streaming ? 1 : 0;
    return plan;
  }
  void OnMessage(const net::GrpcCallRef& call, net::GrpcMessage message) override {
    Seen seen;
    seen.path = call->head().path;
    for (const auto& [name, value] : call->head().metadata) {
      seen.metadata.emplace_back(name, value);
    }
    auto target = protocol::ReadProtoTarget(message, limits_);
    HEADRACE_CHECK(target.ok());
    seen.model = target->model_name;
    seen.id = target->id;
    auto request = protocol::ParseProtoInferRequest(message, seen.model, limits_, pool_);
    HEADRACE_CHECK(request.ok());
    seen.request = *std::move(request);
    Answer(*call, seen);
    const std::lock_guard lock(mutex_);
    seen_.push_back(std::move(seen));
    changed_.notify_all();
  }
  void OnHalfClose(const net::GrpcCallRef& call) override { call->Finish(OkStatus()); }
  void OnCancel(const net::GrpcCallRef&) override {
    const std::lock_guard lock(mutex_);
    ++cancelled_count_;
  }
  void OnDrained(const net::GrpcCallRef&) override {}

 private:
  static int Argument(std::string_view model) {
    int number = 0;
    const std::size_t slash = model.find('/');
    if (slash != std::string_view::npos) {
      std::from_chars(model.data() + slash + 1, model.data() + model.size(), number);
    }
    return number;
  }

  void Answer(net::GrpcCall& call, const Seen& seen) const {
    const bool stream = call.method() == 1;
    protocol::V2InferResponse response;
    response.model_name = seen.model;
    response.id = seen.id;
    if (seen.model == "mute") {
      return;
    }
    if (seen.model == "no_message") {
      call.Finish(OkStatus());
    } else if (seen.model.starts_with("code/")) {
      const Status status(static_cast<StatusCode>(Argument(seen.model)), "as it was asked for");
      stream ? call.Send(protocol::EncodeProtoStreamError(
                   seen.model == "code/14" ? "Exceeds maximum queue size" : status.message(),
                   response))
             : call.Finish(status);
    } else {
      const bool many = seen.model.starts_with("many/");
      const std::vector<Parameter> final = {{"triton_final_response", !many}};
      response.parameters = stream ? &final : nullptr;
      for (const NamedTensor& input : seen.request.message.inputs) {
        response.outputs.push_back({input.name, &input.tensor, true, false});
      }
      for (int i = 0; i < (many ? Argument(seen.model) : 1); ++i) {
        auto encoded = stream ? protocol::EncodeProtoStreamResponse(response)
                              : protocol::EncodeProtoInferResponse(response);
        HEADRACE_CHECK(encoded.ok());
        call.Send(*std::move(encoded));
      }
      if (many) {
        const std::vector<Parameter> last = {{"triton_final_response", true}};
        response.parameters = &last;
        response.outputs.clear();
        call.Send(*protocol::EncodeProtoStreamResponse(response));
      }
      if (!stream) {
        call.Finish(OkStatus());
      }
    }
  }

  const protocol::V2ProtoLimits limits_;
  BlockPool pool_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Seen> seen_;
  std::uint64_t cancelled_count_ = 0;
  std::uint16_t port_ = 0;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TESTING_INFER_STUB_H_
