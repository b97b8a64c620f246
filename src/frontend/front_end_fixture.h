// The whole front end over real sockets and fake models, for the tests of this folder.
#ifndef HEADRACE_FRONTEND_FRONT_END_FIXTURE_H_
#define HEADRACE_FRONTEND_FRONT_END_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>

#include "frontend/front_end_with_fakes.h"
#include "frontend/wire_client.h"
#include "net/http_server.h"

namespace headrace::frontend {

class FrontEndFixture : public FrontEndWithFakes {
 protected:
  explicit FrontEndFixture(FrontEndOptions options = {}, int loop_count = 2)
      : FrontEndWithFakes(std::move(options)) {
    auto server = net::HttpServer::Create({.loop_count = loop_count}, pool_, Clock::Real());
    HEADRACE_CHECK(server.ok());
    server_ = *std::move(server);
    port_ = Listen("http", front_end_.v2_handler());
    metrics_port_ = Listen("metrics", front_end_.metrics_handler());
  }

  ~FrontEndFixture() override {
    DrainModels();
    server_.reset();
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
  std::unique_ptr<net::HttpServer> server_;
  std::uint16_t port_ = 0;
  std::uint16_t metrics_port_ = 0;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_FRONT_END_FIXTURE_H_
