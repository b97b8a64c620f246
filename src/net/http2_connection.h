// One HTTP/2 connection: its socket, its time limits, its end. What is said on it is the
// Http2Session's.
//
// All of it runs on the loop's thread. Answers that are given during a turn are written by one
// system call at its end. An idle connection holds no buffers but the session's compression tables.
#ifndef HEADRACE_NET_HTTP2_CONNECTION_H_
#define HEADRACE_NET_HTTP2_CONNECTION_H_

#include <cstdint>
#include <string_view>

#include "net/byte_stream.h"
#include "net/connection.h"
#include "net/gather_output.h"
#include "net/http2_session.h"
#include "net/http2_timers.h"
#include "net/timeout_list.h"

namespace headrace::net {

class HttpListener;

class Http2Connection final : public Connection {
 public:
  // `listener` is borrowed.
  Http2Connection(ByteStream stream, HttpListener& listener);
  ~Http2Connection() override;

  void Begin(std::string_view received) override;
  void OnEvents(std::uint32_t events) override;
  void OnTimeout() override;
  void Flush() override;
  // Ends in order: the peer is told, streams that are open are finished.
  void BeginDrain() override;
  void Close() override;

  // From Http2Timers.
  void OnIdle();
  void OnKeepalive();
  void OnKeepaliveUnanswered();
  void OnGoawayUnanswered();
  void OnWriteTimeout();

 private:
  enum class State : std::uint8_t {
    kOpen,
    kNoticed,   // the peer was told that the end is near, and has not answered yet
    kDraining,  // no further streams
    kLinger,    // our side is closed, the peer may still be sending
    kClosed
  };
  class AgeTimer final : public Timer {
   public:
    explicit AgeTimer(Http2Connection& connection) : connection_(connection) {}
    void OnTimer() override { connection_.OnAge(); }

   private:
    Http2Connection& connection_;
  };

  void Read();
  void Linger();
  bool Feed(std::string_view bytes);
  void OnAge();
  void FinishDrain();
  void BeginLinger();
  void ArmTimeouts();
  void WriteOutput();
  void ArmWriteTimeout();
  bool TookEnough() const;

  ByteStream stream_;
  HttpListener& listener_;
  Http2Session session_;
  GatherOutput output_;  // not empty only while the socket takes no more
  State state_ = State::kOpen;
  bool readable_ = false;
  bool writable_ = true;
  bool peer_closed_ = false;
  bool waits_for_head_ = false;  // timeout_ runs for settings or a header block
  bool idle_ = false;            // idle_timeout_ runs
  bool blocked_ = false;         // write_timeout_ runs
  int plans_paused_ = 0;         // reads that still expect no frames
  std::uint64_t linger_byte_size_ = 0;
  std::uint64_t written_since_armed_ = 0;
  std::uint64_t unacknowledged_when_armed_ = 0;
  Nanos received_ = 0;  // when bytes came last
  bool heard_since_ping_ = false;
  std::uint32_t pings_without_data_ = 0;
  std::uint64_t data_frames_when_pinged_ = 0;
  TimeoutEntry timeout_{static_cast<Connection*>(this)};
  TimeoutEntry write_timeout_{this};
  TimeoutEntry idle_timeout_{this};
  TimeoutEntry keepalive_{this};
  TimeoutEntry goaway_{this};
  AgeTimer age_{*this};
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_CONNECTION_H_
