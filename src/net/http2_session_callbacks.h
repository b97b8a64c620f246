// The functions that nghttp2 calls: each finds its session and hands the event on.
#ifndef HEADRACE_NET_HTTP2_SESSION_CALLBACKS_H_
#define HEADRACE_NET_HTTP2_SESSION_CALLBACKS_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

#include "net/http2_session.h"

namespace headrace::net {

// `user` is always the Http2Session.
struct Http2Session::Callbacks {
  // Made once, never freed.
  static const nghttp2_session_callbacks* Get();

  static int OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* head, void* user);
  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_byte_size, const std::uint8_t* value,
                      std::size_t value_byte_size, std::uint8_t flags, void* user);
  static int OnInvalidHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                             std::size_t name_byte_size, const std::uint8_t* value,
                             std::size_t value_byte_size, std::uint8_t flags, void* user);
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int OnData(nghttp2_session*, std::uint8_t flags, std::int32_t id, const std::uint8_t* data,
                    std::size_t byte_size, void* user);
  static int OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int OnStreamClosed(nghttp2_session*, std::int32_t id, std::uint32_t error_code,
                            void* user);
  static int SendData(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* frame_head,
                      std::size_t byte_size, nghttp2_data_source* source, void* user);
  static ssize_t ReadData(nghttp2_session*, std::int32_t id, std::uint8_t* out,
                          std::size_t byte_size, std::uint32_t* flags, nghttp2_data_source* source,
                          void* user);
  static ssize_t ReadLength(nghttp2_session*, std::uint8_t frame_type, std::int32_t id,
                            std::int32_t connection_window, std::int32_t stream_window,
                            std::uint32_t frame_byte_size_max, void* user);
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_SESSION_CALLBACKS_H_
