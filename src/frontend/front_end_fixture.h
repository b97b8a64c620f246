// The whole front end over real sockets and fake models, for the tests of this folder.
#ifndef HEADRACE_FRONTEND_FRONT_END_FIXTURE_H_
#define HEADRACE_FRONTEND_FRONT_END_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "frontend/fake_model.h"
#include "frontend/front_end.h"
#include "frontend/wire_client.h"
#include "net/http_server.h"

namespace headrace::frontend {

class FrontEndFixture : public testing::Test {
 protected:
  explicit FrontEndFixture(FrontEndOptions options = {}, int loop_count = 2)
      : manager_(repository::ModelManagerOptions{}, backends_, registry_, Clock::Real()),
        front_end_(std::move(options), registry_, manager_, *tracer_, pool_, Clock::Real()) {
    HEADRACE_CHECK(manager_.LoadAtStart().ok());  // no repository: ready at once
    auto server = net::HttpServer::Create({.loop_count = loop_count}, pool_, Clock::Real());
    HEADRACE_CHECK(server.ok());
    server_ = *std::move(server);
    port_ = Listen("http", front_end_.v2_handler());
    metrics_port_ = Listen("metrics", front_end_.metrics_handler());
  }

  ~FrontEndFixture() override {
    for (const engine::ModelHandle& model : models_) {
      model->Drain(10 * kSecond);
    }
    server_.reset();
  }

  engine::ModelHandle Serve(engine::ModelOptions options,
                            ExecuteFunction execute = ExecuteIdentity) {
    const std::string name = options.name;
    const std::int64_t version = options.version;
    models_.push_back(StartFake(std::move(options), std::move(execute)));
    registry_.SetVersion(name, version, {engine::ModelState::kReady, "", models_.back()});
    return models_.back();
  }

  WireClient Connect() const { return WireClient(port_); }
  WireClient ConnectMetrics() const { return WireClient(metrics_port_); }

 private:
  std::uint16_t Listen(const std::string& name, net::HttpHandler& handler) {
    net::ListenerOptions options;
    options.name = name;
    const auto port = server_->AddListener(options, handler);
    HEADRACE_CHECK(port.ok());
    return *port;
  }

 protected:
  BlockPool pool_;
  NoBackends backends_;
  engine::Registry registry_;
  repository::ModelManager manager_;
  std::unique_ptr<tracing::Tracer> tracer_ = tracing::Tracer::Create({}, {}).value();
  FrontEnd front_end_;
  std::unique_ptr<net::HttpServer> server_;
  std::vector<engine::ModelHandle> models_;
  std::uint16_t port_ = 0;
  std::uint16_t metrics_port_ = 0;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_FRONT_END_FIXTURE_H_
