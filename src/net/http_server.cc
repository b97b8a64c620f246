#include "net/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/gate.h"
#include "base/thread.h"
#include "net/http_listener.h"
#include "net/listen_socket.h"

namespace headrace::net {
namespace {

// Runs `function` on the loop's thread and waits for it. Not from a loop's thread.
template <typename Function>
void RunOn(EventLoop& loop, Function function) {
  std::promise<void> done;
  loop.PostFunction([&] {
    function();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace

class HttpServer::Impl {
 public:
  struct Listener {
    ListenerOptions options;
    Gate connections;
    bool accepting = true;
    std::vector<std::unique_ptr<HttpListener>> shares;  // one per loop
  };

  Impl(HttpServerOptions options, BlockPool& pool, const Clock& clock) {
    const CpuList cpus = AvailableCpus();
    for (int i = 0; i < options.loop_count; ++i) {
      const int cpu = options.pin_threads ? cpus[static_cast<std::size_t>(i) % cpus.size()] : -1;
      loops.push_back(std::make_unique<EventLoop>(fmt::format("io{}", i), cpu, pool, clock));
    }
  }

  ~Impl() {
    for (const auto& listener : listeners) {
      Shutdown(*listener);
    }
    for (const auto& loop : loops) {
      loop->Stop();
    }
  }

  void Shutdown(Listener& listener) {
    for (const auto& share : listener.shares) {
      RunOn(share->loop(), [&] { share->Shutdown(); });
    }
  }

  std::vector<std::unique_ptr<EventLoop>> loops;
  std::vector<std::unique_ptr<Listener>> listeners;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::Create(HttpServerOptions options, BlockPool& pool,
                                                       const Clock& clock) {
  if (options.loop_count < 1) {
    return InvalidArgument("an HTTP server needs at least one event loop, not {}",
                           options.loop_count);
  }
  auto impl = std::make_unique<Impl>(options, pool, clock);
  for (const auto& loop : impl->loops) {
    HEADRACE_RETURN_IF_ERROR(loop->Start());
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

Result<std::uint16_t> HttpServer::AddListener(const ListenerOptions& options, HttpHandler& handler,
                                              GrpcHandler* grpc_handler) {
  return Add(options, &handler, grpc_handler);
}

Result<std::uint16_t> HttpServer::AddGrpcListener(ListenerOptions options,
                                                  GrpcHandler& grpc_handler) {
  options.http1 = false;
  return Add(options, nullptr, &grpc_handler);
}

Result<std::uint16_t> HttpServer::Add(const ListenerOptions& options, HttpHandler* handler,
                                      GrpcHandler* grpc_handler) {
  HEADRACE_ASSIGN_OR_RETURN(ListenSockets opened,
                            OpenListenSockets({options.address, options.port, options.reuse_port},
                                              static_cast<int>(impl_->loops.size())));
  auto listener = std::make_unique<Impl::Listener>();
  listener->options = options;
  for (std::size_t i = 0; i < impl_->loops.size(); ++i) {
    listener->shares.push_back(std::make_unique<HttpListener>(
        *impl_->loops[i], std::move(opened.sockets[i]), listener->options, handler, grpc_handler,
        listener->connections));
  }
  for (const auto& share : listener->shares) {
    Status status;
    RunOn(share->loop(), [&] { status = share->Start(); });
    if (!status.ok()) {
      impl_->Shutdown(*listener);
      return status;
    }
  }
  impl_->listeners.push_back(std::move(listener));
  return opened.port;
}

void HttpServer::StopAccepting(const std::vector<std::string>& keep) {
  for (const auto& listener : impl_->listeners) {
    if (std::find(keep.begin(), keep.end(), listener->options.name) != keep.end()) {
      continue;
    }
    listener->accepting = false;
    for (const auto& share : listener->shares) {
      RunOn(share->loop(), [&] { share->StopAccepting(); });
    }
  }
}

bool HttpServer::DrainConnections(Nanos timeout) {
  const Nanos deadline = Clock::Real().Now() + timeout;
  bool empty = true;
  for (const auto& listener : impl_->listeners) {
    if (!listener->accepting) {
      listener->connections.Close();
      for (const auto& share : listener->shares) {
        RunOn(share->loop(), [&] { share->BeginDrain(); });
      }
    }
  }
  for (const auto& listener : impl_->listeners) {
    if (!listener->accepting) {
      empty &=
          listener->connections.WaitUntilEmpty(std::max<Nanos>(deadline - Clock::Real().Now(), 0));
    }
  }
  return empty;
}

ListenerCounters HttpServer::counters(const std::string& name) const {
  ListenerCounters total;
  for (const auto& listener : impl_->listeners) {
    if (listener->options.name != name) {
      continue;
    }
    for (const auto& share : listener->shares) {
      const ListenerCells& cells = share->cells();
      // `closed` before `accepted`: a connection that comes in between must not make the difference
      // negative.
      const std::uint64_t closed = cells.closed.value();
      total.connections_accepted += cells.accepted.value();
      total.connections_open += cells.accepted.value() - closed;
      total.connections_refused += cells.refused.value();
      total.requests += cells.requests.value();
      total.responses += cells.responses.value();
      total.timeouts += cells.timeouts.value();
      total.cancelled += cells.cancelled.value();
      for (const CounterCell& rejections : cells.rejections) {
        total.bad_requests += rejections.value();
      }
      total.bytes_received += cells.bytes_received.value();
      total.bytes_sent += cells.bytes_sent.value();
      total.http2_connections += cells.http2_connections.value();
      total.http2_streams += cells.http2_streams.value();
      total.refused_streams += cells.refused_streams.value();
      total.grpc_calls += cells.grpc_calls.value();
      total.grpc_deadlines += cells.grpc_deadlines.value();
      total.handshake_failures += cells.handshake_failures.value();
    }
  }
  return total;
}

void HttpServer::Collect(telemetry::PrometheusWriter& writer) const {
  using telemetry::MetricKind;
  struct Family {
    const char* name;
    MetricKind kind;
    const char* help;
    std::uint64_t ListenerCounters::*value;
  };
  static constexpr std::array kFamilies = {
      Family{"headrace_http_connections", MetricKind::kGauge, "Open connections.",
             &ListenerCounters::connections_open},
      Family{"headrace_http_connections_accepted_total", MetricKind::kCounter,
             "Accepted connections.", &ListenerCounters::connections_accepted},
      Family{"headrace_http_connections_refused_total", MetricKind::kCounter,
             "Connections refused because of a limit.", &ListenerCounters::connections_refused},
      Family{"headrace_http_requests_total", MetricKind::kCounter,
             "Requests whose head was complete and valid.", &ListenerCounters::requests},
      Family{"headrace_http_responses_total", MetricKind::kCounter, "Responses, refusals included.",
             &ListenerCounters::responses},
      Family{"headrace_http_requests_cancelled_total", MetricKind::kCounter,
             "Requests whose client went away before the answer.", &ListenerCounters::cancelled},
      Family{"headrace_http_timeouts_total", MetricKind::kCounter,
             "Requests and answers cut for being slow.", &ListenerCounters::timeouts},
      Family{"headrace_http_received_bytes_total", MetricKind::kCounter, "Bytes received.",
             &ListenerCounters::bytes_received},
      Family{"headrace_http_sent_bytes_total", MetricKind::kCounter, "Bytes sent.",
             &ListenerCounters::bytes_sent},
      Family{"headrace_http2_connections_total", MetricKind::kCounter,
             "Connections that spoke HTTP/2.", &ListenerCounters::http2_connections},
      Family{"headrace_http2_streams_total", MetricKind::kCounter, "HTTP/2 streams opened.",
             &ListenerCounters::http2_streams},
      Family{"headrace_http2_refused_streams_total", MetricKind::kCounter,
             "HTTP/2 streams beyond the number that is allowed at once.",
             &ListenerCounters::refused_streams},
      Family{"headrace_grpc_calls_total", MetricKind::kCounter, "gRPC calls begun.",
             &ListenerCounters::grpc_calls},
      Family{"headrace_grpc_deadlines_total", MetricKind::kCounter,
             "gRPC calls that ended because their deadline passed.",
             &ListenerCounters::grpc_deadlines},
      Family{"headrace_tls_handshake_failures_total", MetricKind::kCounter,
             "TLS handshakes that failed.", &ListenerCounters::handshake_failures},
  };
  for (const Family& family : kFamilies) {
    writer.Family(family.name, family.kind, family.help);
    for (const auto& listener : impl_->listeners) {
      const std::string& name = listener->options.name;
      writer.Sample({{"listener", name}}, counters(name).*family.value);
    }
  }
  writer.Family("headrace_http_rejections_total", MetricKind::kCounter,
                "Requests refused by the transport itself, by status.");
  for (const auto& listener : impl_->listeners) {
    for (std::size_t i = 0; i < kTransportStatuses.size(); ++i) {
      std::uint64_t total = 0;
      for (const auto& share : listener->shares) {
        total += share->cells().rejections[i].value();
      }
      writer.Sample({{"listener", listener->options.name},
                     {"status", fmt::format("{}", kTransportStatuses[i])}},
                    total);
    }
  }
  writer.Family("headrace_http2_abuses_total", MetricKind::kCounter,
                "HTTP/2 connections ended for what the client did, by reason.");
  for (const auto& listener : impl_->listeners) {
    for (std::size_t i = 0; i < kHttp2AbuseNames.size(); ++i) {
      std::uint64_t total = 0;
      for (const auto& share : listener->shares) {
        total += share->cells().abuses[i].value();
      }
      writer.Sample({{"listener", listener->options.name}, {"reason", kHttp2AbuseNames[i]}}, total);
    }
  }
}

const std::vector<std::unique_ptr<EventLoop>>& HttpServer::loops() const { return impl_->loops; }

}  // namespace headrace::net
