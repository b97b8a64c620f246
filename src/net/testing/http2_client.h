// A blocking HTTP/2 client for tests, over nghttp2.
#ifndef HEADRACE_NET_TESTING_HTTP2_CLIENT_H_
#define HEADRACE_NET_TESTING_HTTP2_CLIENT_H_

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/testing/raw_client.h"

namespace headrace::net {

using Http2ClientHeaders = std::vector<std::pair<std::string, std::string>>;

struct Http2Answer {
  std::map<std::string, std::string> headers;
  std::map<std::string, std::string> trailers;
  std::string body;
  bool closed = false;
  std::uint32_t error_code = 0;
  // Of the trailers, or of an answer of trailers alone.
  std::string status() const {
    const auto& from = trailers.contains("grpc-status") ? trailers : headers;
    const auto found = from.find("grpc-status");
    return found == from.end() ? "" : found->second;
  }
};

// One thread. Bodies are sent whole as flow control lets them.
class Http2Client {
 public:
  // `window`: of each stream, what the server may send before it has to be given more.
  explicit Http2Client(std::uint16_t port, std::uint32_t window = 1 << 20,
                       bool automatic_window = true)
      : socket_(port) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user) {
          Http2Answer& answer = static_cast<Http2Client*>(user)->answers_[frame->hd.stream_id];
          auto& fields =
              frame->headers.cat == NGHTTP2_HCAT_RESPONSE ? answer.headers : answer.trailers;
          fields[std::string(reinterpret_cast<const char*>(name), name_size)] =
              std::string(reinterpret_cast<const char*>(value), value_size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                      std::size_t size, void* user) {
          static_cast<Http2Client*>(user)->answers_[id].body.append(
              reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
          Http2Answer& answer = static_cast<Http2Client*>(user)->answers_[id];
          answer.closed = true;
          answer.error_code = code;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          auto& self = *static_cast<Http2Client*>(user);
          if (frame->hd.type == NGHTTP2_GOAWAY) {
            self.goaway_ = frame->goaway.error_code;
            self.goaway_text_.assign(reinterpret_cast<const char*>(frame->goaway.opaque_data),
                                     frame->goaway.opaque_data_len);
          } else if (frame->hd.type == NGHTTP2_PING) {
            ++((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 ? self.ping_answers_ : self.pings_);
          }
          return 0;
        });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, automatic_window ? 0 : 1);
    nghttp2_session_client_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
    nghttp2_submit_settings(session_, 0, settings, 1);
    Flush();
  }
  ~Http2Client() { nghttp2_session_del(session_); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // Begins a request; `body` is sent with it, and ends it unless `open`.
  std::int32_t Start(std::string_view method, std::string_view path, Http2ClientHeaders headers,
                     std::optional<std::string> body, bool open = false) {
    Http2ClientHeaders all = {{":method", std::string(method)},
                              {":scheme", "http"},
                              {":authority", "localhost"},
                              {":path", std::string(path)}};
    all.insert(all.end(), headers.begin(), headers.end());
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : all) {
      fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
                        name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t* out,
                                std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                                void*) -> ssize_t {
      Outgoing& outgoing = static_cast<Http2Client*>(source->ptr)->outgoing_[id];
      const std::size_t part = std::min(size, outgoing.bytes.size());
      std::copy_n(outgoing.bytes.data(), part, out);
      outgoing.bytes.erase(0, part);
      if (outgoing.bytes.empty() && !outgoing.open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      } else if (part == 0) {
        return NGHTTP2_ERR_DEFERRED;
      }
      return static_cast<ssize_t>(part);
    };
    const std::int32_t id =
        nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                               body.has_value() || open ? &provider : nullptr, nullptr);
    HEADRACE_CHECK(id > 0);
    outgoing_[id] = {body.value_or(""), open};
    Flush();
    return id;
  }
  void SendMore(std::int32_t id, std::string_view bytes, bool last) {
    outgoing_[id].bytes += bytes;
    outgoing_[id].open = !last;
    nghttp2_session_resume_data(session_, id);
    Flush();
  }
  void Reset(std::int32_t id, std::uint32_t code = NGHTTP2_CANCEL) {
    nghttp2_submit_rst_stream(session_, 0, id, code);
    Flush();
  }
  void Ping() {
    nghttp2_submit_ping(session_, 0, nullptr);
    Flush();
  }
  // Gives the server window for what was received, where that is not automatic.
  void Consume(std::int32_t id, std::size_t size) {
    nghttp2_session_consume(session_, id, size);
    Flush();
  }

  // Reads until `done`; false when the server closed or was silent for 20 s first.
  template <typename Function>
  bool ReadUntil(Function done) {
    Flush();
    while (!done()) {
      char buffer[65536];
      const ssize_t count = ::recv(socket_.fd(), buffer, sizeof(buffer), 0);
      if (count <= 0 || nghttp2_session_mem_recv(session_, reinterpret_cast<std::uint8_t*>(buffer),
                                                 static_cast<std::size_t>(count)) != count) {
        at_end_ = count == 0;
        return done();
      }
      Flush();
    }
    return true;
  }
  // Until flow control has let the body go.
  bool WaitSent(std::int32_t id) {
    return ReadUntil([&] { return outgoing_[id].bytes.empty(); });
  }
  const Http2Answer& Wait(std::int32_t id) {
    ReadUntil([&] { return answers_[id].closed; });
    return answers_[id];
  }
  const Http2Answer& Call(std::string_view method, std::string_view path,
                          Http2ClientHeaders headers = {},
                          std::optional<std::string> body = std::nullopt) {
    return Wait(Start(method, path, std::move(headers), std::move(body)));
  }
  // True when the server has closed in order.
  bool WaitEnd() {
    ReadUntil([] { return false; });
    return at_end_;
  }

  const Http2Answer& answer(std::int32_t id) { return answers_[id]; }
  std::optional<std::uint32_t> goaway() const { return goaway_; }
  const std::string& goaway_text() const { return goaway_text_; }
  int pings() const { return pings_; }
  int ping_answers() const { return ping_answers_; }
  RawClient& socket() { return socket_; }
  nghttp2_session* session() { return session_; }
  void Flush() {
    const std::uint8_t* data = nullptr;
    for (ssize_t count; (count = nghttp2_session_mem_send(session_, &data)) > 0;) {
      socket_.Send({reinterpret_cast<const char*>(data), static_cast<std::size_t>(count)});
    }
  }

 private:
  struct Outgoing {
    std::string bytes;
    bool open = false;
  };
  RawClient socket_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Http2Answer> answers_;
  std::map<std::int32_t, Outgoing> outgoing_;
  std::optional<std::uint32_t> goaway_;
  std::string goaway_text_;
  int pings_ = 0;
  int ping_answers_ = 0;
  bool at_end_ = false;
};

// One gRPC message with its prefix.
inline std::string GrpcFrame(std::string_view message, bool compressed = false) {
  std::string frame(1, compressed ? '\1' : '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(message.size() >> shift));
  }
  return frame.append(message);
}

// A call's headers.
inline Http2ClientHeaders GrpcHeaders(Http2ClientHeaders more = {}) {
  Http2ClientHeaders headers = {{"content-type", "application/grpc"}, {"te", "trailers"}};
  headers.insert(headers.end(), more.begin(), more.end());
  return headers;
}

}  // namespace headrace::net

#endif  // HEADRACE_NET_TESTING_HTTP2_CLIENT_H_
