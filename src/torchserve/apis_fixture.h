// The HTTP side of the APIs over real sockets, fake models and a store without models, for the
// tests of this folder.
#ifndef HEADRACE_TORCHSERVE_APIS_FIXTURE_H_
#define HEADRACE_TORCHSERVE_APIS_FIXTURE_H_

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "frontend/front_end_with_fakes.h"
#include "frontend/wire_client.h"
#include "net/http_server.h"
#include "store/model_store.h"
#include "torchserve/access.h"
#include "torchserve/apis.h"
#include "torchserve/metrics.h"

namespace headrace::torchserve {

// Answers each request with the bytes that came, as a handler would that returns its `body`.
inline void ExecuteEcho(engine::Batch batch) {
  for (auto& request : batch.requests) {
    const Tensor& input = request->inputs.front().tensor;
    engine::InferResponse response;
    response.outputs.push_back({"body", input});
    response.final = true;
    request->Send(std::move(response));
    request->Finish(OkStatus());
  }
}

class ApisFixture : public frontend::FrontEndWithFakes {
 protected:
  explicit ApisFixture(ApiOptions options = {}, AccessOptions access = {.tokens = false})
      : FrontEndWithFakes({}),
        access_(std::move(access), failures_, Clock::Real()),
        store_({}, backends_, registry_, pool_, nullptr, Clock::Real()),
        metrics_({.hostname = "h"}, registry_, nullptr, Clock::Real()),
        apis_(std::move(options), front_end_, store_, Unused<store::Workflows>(), access_,
              metrics_) {
    auto server = net::HttpServer::Create({.loop_count = 2}, pool_, Clock::Real());
    HEADRACE_CHECK(server.ok());
    server_ = *std::move(server);
    port_ = Listen("inference", apis_.Http(true, false, false));
    management_port_ = Listen("management", apis_.Http(false, true, false));
    shared_port_ = Listen("shared", apis_.Http(true, true, false));
  }

  ~ApisFixture() override {
    DrainModels();
    server_.reset();
  }

  // A model of one instance that takes what a handler's does.
  engine::ModelHandle ServeHandler(std::string name,
                                   frontend::ExecuteFunction execute = ExecuteEcho) {
    return Serve(HandlerOptions(std::move(name)), std::move(execute));
  }
  static engine::ModelOptions HandlerOptions(std::string name, std::int64_t version = 1) {
    engine::ModelOptions options;
    options.name = std::move(name);
    options.version = version;
    options.platform = "handler";
    options.signature.batch_size_max = 1;
    options.signature.inputs.push_back(frontend::SpecOf("data", DataType::kUint8, {-1}));
    options.signature.outputs.push_back(frontend::SpecOf("body", DataType::kUint8, {-1}));
    options.placements.resize(1);
    return options;
  }

  frontend::WireClient Connect() const { return frontend::WireClient(port_); }
  static frontend::WireClient Connect(std::uint16_t port) { return frontend::WireClient(port); }

 private:
  std::uint16_t Listen(const std::string& name, net::HttpHandler& handler) {
    net::ListenerOptions options;
    options.name = name;
    const auto port = server_->AddListener(options, handler);
    HEADRACE_CHECK(port.ok());
    return *port;
  }
  // What no route of these tests touches.
  template <typename T>
  T& Unused() {
    return *reinterpret_cast<T*>(unused_);
  }

  alignas(16) char unused_[16] = {};

 protected:
  frontend::FailureBudget failures_{0, Clock::Real()};
  Access access_;
  store::ModelStore store_;
  Metrics metrics_;
  Apis apis_;
  std::unique_ptr<net::HttpServer> server_;
  std::uint16_t port_ = 0, management_port_ = 0, shared_port_ = 0;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_APIS_FIXTURE_H_
