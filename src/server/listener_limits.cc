#include "server/listener_limits.h"

#include <algorithm>

#include "base/topology.h"

namespace headrace::server {

int LoopCount(const ServerConfig& config) {
  if (config.http_thread_count > 0) {
    return static_cast<int>(config.http_thread_count);
  }
  return std::max(1, Topology::Read().core_count() / 2);
}

Nanos Millis(std::uint64_t count) { return static_cast<Nanos>(count) * kMillisecond; }

Nanos MillisOrNever(std::uint64_t count) { return count == 0 ? kNever : Millis(count); }

net::HttpLimits HttpLimitsOf(const ServerConfig& config) {
  net::HttpLimits limits;
  limits.header_timeout = Millis(config.http_header_timeout_ms);
  limits.body_idle_timeout = Millis(config.http_body_idle_timeout_ms);
  limits.write_idle_timeout = Millis(config.http_write_idle_timeout_ms);
  limits.keep_alive_timeout = Millis(config.http_keep_alive_timeout_ms);
  limits.requests_per_connection_max = config.http_requests_per_connection_max;
  limits.connection_count_max = config.http_connection_count_max;
  return limits;
}

net::Http2Limits Http2LimitsOf(const ServerConfig& config) {
  net::Http2Limits limits;
  limits.concurrent_streams_max = static_cast<std::uint32_t>(config.http2_concurrent_streams_max);
  limits.header_list_byte_size_max = config.http2_header_list_byte_size_max;
  limits.stream_window_byte_size = static_cast<std::uint32_t>(config.http2_stream_window_byte_size);
  limits.connection_window_byte_size =
      static_cast<std::uint32_t>(config.http2_connection_window_byte_size);
  limits.idle_timeout = Millis(config.http2_idle_timeout_ms);
  limits.keepalive_time = Millis(config.grpc_keepalive_time_ms);
  limits.keepalive_timeout = Millis(config.grpc_keepalive_timeout_ms);
  limits.keepalive_permit_without_calls = config.grpc_keepalive_permit_without_calls;
  limits.pings_without_data_max = static_cast<std::uint32_t>(config.grpc_pings_without_data_max);
  limits.received_ping_interval_min = Millis(config.grpc_received_ping_interval_min_ms);
  limits.ping_strikes_max = static_cast<std::uint32_t>(config.grpc_ping_strikes_max);
  limits.connection_age_max = MillisOrNever(config.grpc_connection_age_max_ms);
  limits.connection_age_grace = MillisOrNever(config.grpc_connection_age_grace_ms);
  return limits;
}

}  // namespace headrace::server
