#include "net/http2_session_callbacks.h"

#include <algorithm>
#include <string_view>

#include "net/http_listener.h"

namespace headrace::net {
namespace {

constexpr std::size_t kFrameHeadByteSize = 9;

std::string_view Text(const std::uint8_t* data, std::size_t byte_size) {
  return {reinterpret_cast<const char*>(data), byte_size};
}

Http2Session& Session(void* user) { return *static_cast<Http2Session*>(user); }

}  // namespace

const nghttp2_session_callbacks* Http2Session::Callbacks::Get() {
  static const nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, OnBeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(made, OnHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback(made, OnInvalidHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, OnData);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, OnFrameSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, OnStreamClosed);
    nghttp2_session_callbacks_set_send_data_callback(made, SendData);
    nghttp2_session_callbacks_set_data_source_read_length_callback(made, ReadLength);
    return made;
  }();
  return callbacks;
}

int Http2Session::Callbacks::OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* head,
                                          void* user) {
  Session(user).OnBeginFrame(*head);
  return 0;
}

int Http2Session::Callbacks::OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame,
                                            void* user) {
  Http2Session& session = Session(user);
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    const ListenerOptions& options = session.listener_.options();
    session.head_ =
        Http2Head(options.http2.header_list_byte_size_max, options.limits.header_count_max);
    session.head_stream_ = frame->hd.stream_id;
    session.head_begun_ = session.listener_.loop().now();
    session.in_header_block_ = true;
  }
  return 0;
}

int Http2Session::Callbacks::OnHeader(nghttp2_session*, const nghttp2_frame* frame,
                                      const std::uint8_t* name, std::size_t name_byte_size,
                                      const std::uint8_t* value, std::size_t value_byte_size,
                                      std::uint8_t, void* user) {
  return Session(user).OnHeader(frame->hd.stream_id, Text(name, name_byte_size),
                                Text(value, value_byte_size));
}

// Without it nghttp2 would drop the field and go on.
int Http2Session::Callbacks::OnInvalidHeader(nghttp2_session*, const nghttp2_frame* frame,
                                             const std::uint8_t*, std::size_t, const std::uint8_t*,
                                             std::size_t, std::uint8_t, void* user) {
  Http2Session& session = Session(user);
  if (frame->hd.stream_id == session.head_stream_) {
    session.head_.MarkInvalid();
  }
  return 0;
}

int Http2Session::Callbacks::OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  Session(user).OnFrame(*frame);
  return 0;
}

int Http2Session::Callbacks::OnData(nghttp2_session*, std::uint8_t, std::int32_t id,
                                    const std::uint8_t* data, std::size_t byte_size, void* user) {
  Session(user).OnData(id, Text(data, byte_size));
  return 0;
}

int Http2Session::Callbacks::OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  Session(user).OnFrameSent(*frame);
  return 0;
}

int Http2Session::Callbacks::OnStreamClosed(nghttp2_session*, std::int32_t id, std::uint32_t,
                                            void* user) {
  Session(user).OnStreamClosed(id);
  return 0;
}

int Http2Session::Callbacks::SendData(nghttp2_session*, nghttp2_frame* frame,
                                      const std::uint8_t* frame_head, std::size_t byte_size,
                                      nghttp2_data_source*, void* user) {
  Http2Session& session = Session(user);
  Http2Stream* stream = session.FindStream(frame->hd.stream_id);
  if (stream == nullptr) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  session.output_->AppendBytes(Text(frame_head, kFrameHeadByteSize));
  stream->Take(byte_size, *session.output_);
  return 0;
}

ssize_t Http2Session::Callbacks::ReadData(nghttp2_session*, std::int32_t id, std::uint8_t*,
                                          std::size_t byte_size, std::uint32_t* flags,
                                          nghttp2_data_source*, void* user) {
  return Session(user).ReadData(id, byte_size, *flags);
}

ssize_t Http2Session::Callbacks::ReadLength(nghttp2_session*, std::uint8_t, std::int32_t,
                                            std::int32_t connection_window,
                                            std::int32_t stream_window,
                                            std::uint32_t frame_byte_size_max, void*) {
  return std::min<std::int64_t>({connection_window, stream_window, frame_byte_size_max});
}

}  // namespace headrace::net
