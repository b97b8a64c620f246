// What a listener is set up with: addresses, protocols, limits.
#ifndef HEADRACE_NET_LISTENER_OPTIONS_H_
#define HEADRACE_NET_LISTENER_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/http.h"

namespace headrace::net {

class TlsContext;

// Limits of HTTP/2 connections (reliability D11). Those of HttpLimits hold as well: header and body
// timeouts, write idle timeout, request line, header count, connections.
struct Http2Limits {
  std::uint32_t concurrent_streams_max = 100;
  std::size_t header_list_byte_size_max = 16 * 1024;  // decoded, 32 bytes more for each field
  // What a peer may send before it hears from us. A stream whose reader pauses holds at most its
  // window; the connection's window is given back as bytes are taken from the socket.
  std::uint32_t stream_window_byte_size = 1 << 20;
  std::uint32_t connection_window_byte_size = 16 << 20;
  // Allowed once a connection has begun to send a large message (before, 16 KiB): clients that
  // honour it send the next tensor of up to this size as one frame.
  std::uint32_t frame_byte_size_max = 1 << 20;
  std::uint32_t continuations_max = 8;  // CONTINUATION frames of one header block
  // Resets by the peer, and resets that its faults made us send: a bucket each.
  std::uint32_t reset_burst = 1000;
  std::uint32_t resets_per_second = 33;
  // SETTINGS, PING, PRIORITY, WINDOW_UPDATE and empty DATA frames: one bucket, which what
  // is sent to the peer fills as well.
  std::uint32_t control_frame_burst = 2000;
  std::uint32_t control_frames_per_second = 200;
  Nanos idle_timeout = 300 * kSecond;  // without a stream
  // A streaming call whose peer gives no window for what waits.
  Nanos streaming_stall_timeout = 600 * kSecond;

  // gRPC's names (contracts, Triton 2.6).
  Nanos keepalive_time = 7200 * kSecond;  // silence after which the peer is pinged
  Nanos keepalive_timeout = 20 * kSecond;
  bool keepalive_permit_without_calls = false;
  std::uint32_t pings_without_data_max = 2;          // of ours in a row; 0: no limit
  Nanos received_ping_interval_min = 300 * kSecond;  // without data in between
  std::uint32_t ping_strikes_max = 2;                // 0: no limit
  Nanos connection_age_max = kNever;                 // varied by a tenth up and down
  Nanos connection_age_grace = kNever;               // for calls in flight, behind it
};

struct GrpcLimits {
  std::uint64_t message_byte_size_max = std::uint64_t{64} << 20;  // also decompressed
  std::size_t sent_status_byte_size_max = 4096;                   // grpc-message, encoded
};

// What the client hears that speaks HTTP in plain text where TLS is spoken.
struct PlainTextRefusal {
  int status = 400;
  std::string json = "{\"error\":\"this port speaks TLS: use https\"}";
};

struct ListenerOptions {
  std::string name = "http";          // label in metrics and logs
  std::string address = "127.0.0.1";  // numeric IPv4 or IPv6, or "unix:PATH"
  std::uint16_t port = 0;             // 0 = any free port
  bool reuse_port = false;            // share the port with other processes
  // HTTP/1.1 is spoken beside HTTP/2; without it every connection is HTTP/2.
  bool http1 = true;
  HttpLimits limits;
  Http2Limits http2;
  GrpcLimits grpc;
  std::shared_ptr<const TlsContext> tls;  // null: plain TCP
  PlainTextRefusal plain_text_refusal;    // of a listener with TLS
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_LISTENER_OPTIONS_H_
