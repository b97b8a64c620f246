// One connection of a load generator: a request at a time, over HTTP/1.1.
#ifndef HEADRACE_LOAD_HTTP_CONNECTION_H_
#define HEADRACE_LOAD_HTTP_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "load/http_request.h"
#include "load/http_response_parser.h"
#include "load/poller.h"
#include "load/socket_address.h"
#include "load/target.h"
#include "load/transport.h"
#include "net/byte_stream.h"
#include "net/tls_client_context.h"
#include "net/tls_session.h"

namespace headrace::load {

// Made once and opened again after each end. One thread; all calls of the owner come from OnEvents,
// Open, Write or GiveUp.
class HttpConnection final : public PollHandler {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // It can take a request: it came up, or (`came_up` is false) the answer of the one before is
    // whole. Not called after a request whose connection ended with it.
    virtual void OnIdle(HttpConnection& connection, bool came_up) = 0;
    // It is closed. `was_up`: it had been connected; its request, if it had one, has ended before.
    virtual void OnClosed(HttpConnection& connection, bool was_up, Status why) = 0;
  };

  // What the connections of one transport share; all of it is borrowed.
  struct Shared {
    Poller& poller;
    CompletionSink& sink;
    Owner& owner;
    const TargetSpec& target;
    const net::TlsClientContext* tls;  // null: plain
    std::span<char> buffer;            // into which they read, one after another
  };

  explicit HttpConnection(const Shared& shared) : shared_(shared) {}
  ~HttpConnection() override;

  // Starts to connect; OnIdle or OnClosed follows, perhaps from within.
  void Open(const SocketAddress& address, Nanos deadline);
  // Takes a request; Write sends it. Only when idle.
  void Assign(const Outgoing& request, const EncodedRequest& encoded, std::uint64_t request_id);
  void Write();
  // Ends what it does at `now`: a request with kTimeout, an attempt to connect as failed.
  void GiveUp(Nanos now);

  enum class State : std::uint8_t { kClosed, kConnecting, kHandshake, kIdle, kBusy };
  State state() const { return state_; }
  // When it has to be given up: of the request, or of the attempt to connect.
  Nanos deadline() const { return deadline_; }

  void OnEvents(std::uint32_t epoll_events) override;

 private:
  void FinishConnect();
  void ContinueHandshake();
  void BecomeIdle();
  void Read();
  ssize_t ReadOnce(HttpResponseParser::State& answer);
  void ReadIdle();
  void EndAnswer(HttpResponseParser::State answer);
  void EndRequest(Outcome outcome, std::uint32_t wire_status);
  Outcome OutcomeOf() const;
  void WatchWritable(bool watched);
  void Close(Status why);
  std::size_t Gather(std::span<iovec> pieces) const;

  const Shared shared_;
  State state_ = State::kClosed;
  bool writable_watched_ = false;
  bool carried_one_ = false;  // a request went over this connection before
  Nanos deadline_ = kNever;
  std::optional<net::ByteStream> stream_;
  // While it connects.
  UniqueFd fd_;
  std::unique_ptr<net::TlsSession> tls_;
  bool droppable_ = false;  // TCP without TLS: the kernel can drop what nobody wants

  // The request that is out.
  const EncodedRequest* encoded_ = nullptr;
  std::uint32_t slot_ = 0;
  std::string filled_;  // its first piece, where that has fields
  std::size_t written_byte_size_ = 0;
  HttpResponseParser parser_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HTTP_CONNECTION_H_
