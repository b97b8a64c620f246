#include "load/http_transport.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>
#include <vector>

#include "load/http_connection.h"
#include "load/http_request.h"
#include "load/random.h"
#include "load/shared_memory.h"
#include "load/socket_address.h"
#include "load/tls_options.h"

namespace headrace::load {
namespace {

constexpr std::size_t kBufferByteSize = 256 * 1024;

// What does not change: shared by the transports.
struct Encoded {
  TargetSpec target;
  std::vector<SocketAddress> addresses;
  std::shared_ptr<const net::TlsClientContext> tls;
  std::unique_ptr<SharedMemory> memory;
  std::vector<std::vector<std::unique_ptr<EncodedRequest>>> items;  // by item and content
};

class HttpTransport final : public Transport, public HttpConnection::Owner {
 public:
  HttpTransport(const Encoded& encoded, FirstFailure& first_failure, std::uint64_t first_id)
      : encoded_(encoded),
        first_failure_(first_failure),
        connections_max_(static_cast<std::size_t>(std::max(encoded.target.connections_max, 1))),
        next_id_(first_id),
        buffer_(kBufferByteSize) {}

  Status Connect(Poller& poller, CompletionSink& sink, int connections) override {
    poller_ = &poller;
    sink_ = &sink;
    const auto wanted = std::clamp<std::size_t>(static_cast<std::size_t>(std::max(connections, 1)),
                                                1, connections_max_);
    const Nanos deadline = Clock::Real().Now() + encoded_.target.connect_timeout;
    // The first address that answers is used from then on.
    for (const SocketAddress& address : encoded_.addresses) {
      address_ = &address;
      ConnectUntil(1, deadline);
      if (!free_.empty()) {
        break;
      }
    }
    if (!free_.empty()) {
      ConnectUntil(wanted, deadline);
    }
    if (free_.size() < wanted) {
      return Unavailable("{}: {}", AddressText(encoded_.target),
                         failure_.ok() ? "no connection in time" : failure_.message());
    }
    return OkStatus();
  }

  void Send(const Outgoing& request) override {
    if (free_.empty()) {
      waited_count_ += live_count() >= connections_max_ ? 1 : 0;
      waiting_.push_back(request);
      return;
    }
    HttpConnection* connection = free_.back();
    free_.pop_back();
    Assign(request, *connection);
    assigned_.push_back(connection);
  }

  void Flush() override {
    for (HttpConnection* connection : assigned_) {
      connection->Write();
    }
    assigned_.clear();
    // Attempts that fail at once take a waiting request with them, so that this ends.
    while (connecting_count_ < waiting_.size() && live_count() < connections_max_) {
      OpenOne(Clock::Real().Now() + encoded_.target.connect_timeout);
    }
  }

  void Expire(Nanos now) override {
    for (const auto& connection : connections_) {
      if (connection->deadline() <= now) {
        connection->GiveUp(now);
      }
    }
    while (!waiting_.empty() && waiting_.front().timeout_at <= now) {
      FailFirst(Outcome::kTimeout, now);
    }
  }

  void Abandon() override {
    const Nanos now = Clock::Real().Now();
    while (!waiting_.empty()) {
      FailFirst(Outcome::kTimeout, now);
    }
    for (const auto& connection : connections_) {
      if (connection->state() == HttpConnection::State::kBusy) {
        connection->GiveUp(now);
      }
    }
    assigned_.clear();
  }

  std::uint64_t waited_count() const override { return waited_count_; }

  void OnIdle(HttpConnection& connection, bool came_up) override {
    connecting_count_ -= came_up ? 1 : 0;
    if (waiting_.empty()) {
      free_.push_back(&connection);
      return;
    }
    const Outgoing request = waiting_.front();
    waiting_.pop_front();
    Assign(request, connection);
    connection.Write();
  }

  void OnClosed(HttpConnection& connection, bool was_up, Status why) override {
    closed_.push_back(&connection);
    std::erase(free_, &connection);
    if (was_up) {
      return;
    }
    --connecting_count_;
    failure_ = std::move(why);
    if (!waiting_.empty()) {
      first_failure_.Note(fmt::format("no connection: {}", failure_.message()));
      FailFirst(Outcome::kConnect, Clock::Real().Now());
    }
  }

 private:
  std::size_t live_count() const { return connections_.size() - closed_.size(); }

  void ConnectUntil(std::size_t count, Nanos deadline) {
    failure_ = OkStatus();
    while (live_count() < count && failure_.ok()) {
      OpenOne(deadline);
    }
    while (free_.size() < count && failure_.ok() && Clock::Real().Now() < deadline) {
      poller_->Poll(deadline);
    }
    for (const auto& connection : connections_) {
      if (connection->state() != HttpConnection::State::kIdle) {
        connection->GiveUp(deadline);
      }
    }
  }

  void OpenOne(Nanos deadline) {
    if (closed_.empty()) {
      connections_.push_back(std::make_unique<HttpConnection>(HttpConnection::Shared{
          *poller_, *sink_, *this, encoded_.target, encoded_.tls.get(), first_failure_, buffer_}));
      closed_.push_back(connections_.back().get());
    }
    HttpConnection* connection = closed_.back();
    closed_.pop_back();
    ++connecting_count_;
    connection->Open(*address_, deadline);
  }

  void Assign(const Outgoing& request, HttpConnection& connection) {
    connection.Assign(request, *encoded_.items[request.item][request.content], next_id_++);
  }

  void FailFirst(Outcome outcome, Nanos now) {
    const std::uint32_t slot = waiting_.front().slot;
    waiting_.pop_front();
    sink_->OnDone(slot, now, outcome, 0);
  }

  const Encoded& encoded_;
  FirstFailure& first_failure_;
  const std::size_t connections_max_;
  Poller* poller_ = nullptr;
  CompletionSink* sink_ = nullptr;
  const SocketAddress* address_ = nullptr;
  std::uint64_t next_id_;
  std::uint64_t waited_count_ = 0;
  std::size_t connecting_count_ = 0;
  Status failure_;  // of the last attempt to connect
  std::vector<char> buffer_;
  std::vector<std::unique_ptr<HttpConnection>> connections_;
  std::vector<HttpConnection*> free_;      // the last used one at the end
  std::vector<HttpConnection*> closed_;    // to be opened again
  std::vector<HttpConnection*> assigned_;  // have a request that Flush writes
  std::deque<Outgoing> waiting_;           // bounded by the sender's outstanding_max
};

class HttpTransportFactory final : public TransportFactory {
 public:
  explicit HttpTransportFactory(Encoded encoded, std::uint64_t seed)
      : encoded_(std::move(encoded)), seed_(seed) {}

  std::unique_ptr<Transport> Make() override {
    const std::uint64_t number = made_count_.fetch_add(1, std::memory_order_relaxed);
    // The upper half tells transports apart, the lower counts.
    return std::make_unique<HttpTransport>(encoded_, first_failure_,
                                           (HashOf(seed_ + number) >> 32) << 32);
  }

  std::string FirstFailureText() const override { return first_failure_.text(); }

 private:
  const Encoded encoded_;
  const std::uint64_t seed_;
  FirstFailure first_failure_;
  std::atomic<std::uint64_t> made_count_{0};
};

}  // namespace

Result<std::unique_ptr<TransportFactory>> MakeHttpTransportFactory(const TargetSpec& target,
                                                                   const Workload& workload) {
  Encoded encoded;
  encoded.target = target;
  HEADRACE_ASSIGN_OR_RETURN(encoded.addresses, ResolveTarget(target));
  if (target.tls.enabled) {
    net::TlsClientOptions options = TlsOptionsOf(target.tls);
    options.server_name = target.host;
    HEADRACE_ASSIGN_OR_RETURN(encoded.tls, net::TlsClientContext::Create(std::move(options)));
  }
  HEADRACE_ASSIGN_OR_RETURN(encoded.memory, MakeSharedMemory(target, workload));
  for (std::size_t item_index = 0; item_index < workload.items.size(); ++item_index) {
    const Item& item = workload.items[item_index];
    auto& requests = encoded.items.emplace_back();
    for (std::size_t i = 0; i < item.contents.size(); ++i) {
      HEADRACE_ASSIGN_OR_RETURN(
          auto request, EncodeHttpRequest(target, workload, item_index, i, encoded.memory.get()));
      requests.push_back(std::move(request));
    }
    if (requests.empty()) {
      return InvalidArgument("item '{}' has no contents to send", item.name);
    }
  }
  return std::unique_ptr<TransportFactory>(
      std::make_unique<HttpTransportFactory>(std::move(encoded), workload.seed));
}

}  // namespace headrace::load
