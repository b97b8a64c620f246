// One HTTP/2 connection of a client, over a sender's poller.
#ifndef HEADRACE_LOAD_H2_CONNECTION_H_
#define HEADRACE_LOAD_H2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "load/h2_endpoint.h"
#include "load/poller.h"
#include "net/byte_stream.h"
#include "net/gather_output.h"
#include "net/tls_session.h"

namespace headrace::load {

class H2Connection;

// One stream's user. Calls come on the poller's thread, from within H2Connection.
class H2Call {
 public:
  virtual ~H2Call() = default;

  virtual void OnHeader(std::string_view name, std::string_view value) = 0;
  virtual void OnData(std::string_view bytes) = 0;
  // The stream is over, and the call free for another. HTTP/2's error code: 0 = its peer ended it
  // in order; kLost = the connection ended first.
  virtual void OnClosed(std::uint32_t error_code) = 0;
  static constexpr std::uint32_t kLost = UINT32_MAX;

  // Body bytes that can be sent now, and whether they are the last.
  virtual std::size_t ReadyByteSize(bool& last) = 0;
  virtual void AppendBody(net::GatherOutput& out, std::size_t byte_size) = 0;

  bool on_stream() const { return connection_ != nullptr; }

 private:
  friend class H2Connection;
  H2Connection* connection_ = nullptr;  // while it has a stream
  std::int32_t stream_ = 0;
  std::size_t position_ = 0;  // in H2Connection::calls_
  std::uint64_t mark_ = 0;    // what OnWritten says of its head
};

// Connects, again and again if it must, and carries streams. Windows for what the server sends are
// as wide as the protocol has them. One thread. From within its callbacks: Submit, Resume, Cancel
// and Mark only.
class H2Connection final : public PollHandler {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The server's settings are there: streams may begin.
    virtual void OnOpen(H2Connection& connection) = 0;
    // The first byte of what `mark` stands for is in the kernel since `when`.
    virtual void OnWritten(std::uint64_t mark, Nanos when) = 0;
    // The connection, or the attempt at one (`was_open` false), is over; its calls have heard so.
    virtual void OnDown(H2Connection& connection, const Status& why, bool was_open) = 0;
    // Something waits for Flush.
    virtual void OnWantsFlush(H2Connection& connection) = 0;
    // Memory to read into, shared by the connections of a thread.
    virtual std::span<char> read_buffer() = 0;
  };

  // All outlive the connection.
  H2Connection(Poller& poller, Owner& owner, const H2Endpoint& endpoint);
  ~H2Connection() override;

  // Begins to connect. Only when idle; OnDown may come from within.
  void Begin();
  bool idle() const { return state_ == State::kIdle; }
  bool open() const { return state_ == State::kOpen; }
  // No stream may begin on it any more, those under way go on: GOAWAY, or its numbers are used up.
  bool draining() const { return draining_; }
  bool fresh() const { return fresh_; }  // carried no stream yet

  // Whether the server takes one more stream now (SETTINGS_MAX_CONCURRENT_STREAMS).
  bool CanSubmit() const { return open() && !draining_ && calls_.size() < streams_max_; }
  // Begins a stream with `fields`, which outlive it. False: none may begin. `mark`: for OnWritten;
  // 0 = nothing is to be said.
  bool Submit(H2Call& call, std::span<const nghttp2_nv> fields, std::uint64_t mark);
  // The call has more body.
  void Resume(H2Call& call);
  // Resets the stream; OnClosed comes later.
  void Cancel(H2Call& call);
  // From within AppendBody: what is appended next is what `mark` stands for.
  void Mark(std::uint64_t mark) { marks_.push_back({appended(), mark}); }

  // Sends what there is.
  void Flush();
  // Ends it with kLost for its calls, without OnDown.
  void Close();
  // The same with OnDown.
  void Fail(const Status& why);
  // When the bytes that are being looked at were read.
  Nanos read_at() const { return read_at_; }
  Nanos begun_at() const { return begun_at_; }

 private:
  enum class State : std::uint8_t { kIdle, kConnecting, kHandshake, kSettings, kOpen };
  struct Callbacks;
  struct SessionDeleter {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };
  struct Written {
    std::uint64_t offset;
    std::uint64_t mark;
  };

  void OnEvents(std::uint32_t events) override;
  void TryNextAddress(const Status& why);
  void OnConnected();
  void ContinueHandshake();
  void StartSession();
  void Read();
  void Release();
  bool WriteOut();
  void Watch(std::uint32_t events);
  void WantFlush();
  Status NotHttp2(std::string_view what) const;
  std::uint64_t appended() const { return written_ + output_.byte_size(); }

  Poller& poller_;
  Owner& owner_;
  const H2Endpoint& endpoint_;

  State state_ = State::kIdle;
  bool draining_ = false;
  bool fresh_ = true;
  bool wants_flush_ = false;
  std::size_t address_ = 0;
  Nanos begun_at_ = 0;
  Nanos read_at_ = 0;
  UniqueFd fd_;  // until stream_ has it
  std::unique_ptr<net::TlsSession> handshake_;
  std::optional<net::ByteStream> stream_;
  std::uint32_t watched_ = 0;
  std::unique_ptr<nghttp2_session, SessionDeleter> session_;
  std::string first_bytes_;  // what came before the server's settings
  std::size_t streams_max_ = 0;
  std::vector<H2Call*> calls_;  // with a stream
  net::GatherOutput output_;
  std::uint64_t written_ = 0;  // bytes that the kernel has
  std::deque<Written> marks_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_H2_CONNECTION_H_
