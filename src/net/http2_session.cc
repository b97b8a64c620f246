#include "net/http2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "net/grpc_server_call.h"
#include "net/http2_exchange.h"
#include "net/http2_memory.h"
#include "net/http2_session_callbacks.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// Decoded header bytes, in multiples of the limit, that end the connection: the block goes on being
// decoded behind the limit, because the peer's compression state depends on it.
constexpr std::size_t kHeaderListFactorMax = 8;
// What a stream adds to the bucket of control frames.
constexpr std::uint64_t kTokensPerStream = 8;

}  // namespace

Http2Session::Http2Session(HttpListener& listener, Connection& connection)
    : listener_(listener),
      connection_(connection),
      resets_received_(listener.options().http2.reset_burst,
                       listener.options().http2.resets_per_second),
      resets_sent_(listener.options().http2.reset_burst,
                   listener.options().http2.resets_per_second),
      control_frames_(listener.options().http2.control_frame_burst,
                      listener.options().http2.control_frames_per_second),
      pings_(listener.options().http2) {}

Http2Session::~Http2Session() { CloseStreams(); }

void Http2Session::CloseStreams() {
  // A handler that hears of one end may end others.
  auto streams = std::exchange(streams_, {});
  for (auto& [id, stream] : streams) {
    stream->Close();
  }
}

bool Http2Session::Start() {
  const Http2Limits& limits = listener_.options().http2;
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) {
    return false;
  }
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_continuations(option, limits.continuations_max);
  // Ours come first and say why; the library's stand behind them.
  nghttp2_option_set_stream_reset_rate_limit(option, 10 * limits.reset_burst,
                                             10 * limits.resets_per_second);
  nghttp2_session* session = nullptr;
  const int made =
      nghttp2_session_server_new3(&session, Callbacks::Get(), this, option, Http2Memory());
  nghttp2_option_del(option);
  if (made != 0) {
    return false;
  }
  session_.reset(session);
  const std::array settings = {
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                             limits.concurrent_streams_max},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window_byte_size},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                             static_cast<std::uint32_t>(limits.header_list_byte_size_max)}};
  if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) != 0 ||
      nghttp2_session_set_local_window_size(
          session, NGHTTP2_FLAG_NONE, 0,
          static_cast<std::int32_t>(limits.connection_window_byte_size)) != 0) {
    return false;
  }
  listener_.cells().http2_connections.Add(1);
  listener_.FlushLater(connection_);
  return true;
}

bool Http2Session::Receive(std::string_view bytes) {
  if (ended_) {
    return true;
  }
  const ssize_t count = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  listener_.FlushLater(connection_);
  between_frames_ = data_left_ == 0 && data_end_ == bytes.data() + bytes.size();
  data_end_ = nullptr;
  if (count >= 0) {
    return true;
  }
  const auto abuse = count == NGHTTP2_ERR_FLOODED ? Http2Abuse::kFlood : Http2Abuse::kProtocol;
  listener_.cells().abuses[static_cast<std::size_t>(abuse)].Add(1);
  return false;
}

DataFrameState Http2Session::DataState() {
  DataFrameState state;
  if ((data_left_ == 0 && !between_frames_) || ended_) {
    return state;
  }
  Http2Stream* stream = FindStream(data_stream_);
  if (stream == nullptr) {
    return state;
  }
  const std::span<char> space = stream->ReceiveSpace();
  const std::size_t current = std::min(space.size(), data_left_);
  state.stream = data_stream_;
  state.frame_byte_size = data_frame_byte_size_;
  state.current = space.first(current);
  state.following = space.subspan(current);
  return state;
}

void Http2Session::EndForAbuse(Http2Abuse abuse, std::uint32_t error_code, std::string_view text) {
  if (ended_) {
    return;
  }
  ended_ = true;
  listener_.cells().abuses[static_cast<std::size_t>(abuse)].Add(1);
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), error_code,
                        reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

Http2Stream* Http2Session::FindStream(std::int32_t id) {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

void Http2Session::OnControlFrame() {
  if (!control_frames_.Take(listener_.loop().now())) {
    EndForAbuse(Http2Abuse::kControlFrames, NGHTTP2_ENHANCE_YOUR_CALM, "control frames");
  }
}

void Http2Session::OnBeginFrame(const nghttp2_frame_hd& head) {
  data_left_ = 0;
  switch (head.type) {
    case NGHTTP2_DATA:
      if (head.length == 0 && (head.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        OnControlFrame();
      }
      if ((head.flags & NGHTTP2_FLAG_PADDED) == 0) {
        data_stream_ = head.stream_id;
        data_left_ = data_frame_byte_size_ = head.length;
      }
      break;
    case NGHTTP2_HEADERS:
      OnBeginHeadersFrame(head.stream_id);
      break;
    case NGHTTP2_CONTINUATION:
      break;
    case NGHTTP2_RST_STREAM:
      if (!resets_received_.Take(listener_.loop().now())) {
        EndForAbuse(Http2Abuse::kResets, NGHTTP2_ENHANCE_YOUR_CALM, "resets");
      }
      break;
    default:
      OnControlFrame();
  }
}

// A stream of a smaller number than one that was opened is a fault of the connection (RFC 9113,
// 5.1.1). The library lets it pass, because it cannot tell it from one that was closed.
void Http2Session::OnBeginHeadersFrame(std::int32_t id) {
  constexpr std::size_t kSkippedMax = 16;
  if (id > newest_stream_) {
    if (id > newest_stream_ + 2) {
      skipped_.emplace_back(newest_stream_ + 2, id - 2);
      if (skipped_.size() > kSkippedMax) {
        skipped_.erase(skipped_.begin());
      }
    }
    newest_stream_ = id;
    return;
  }
  for (const auto& [first, last] : skipped_) {
    if (id >= first && id <= last) {
      EndForAbuse(Http2Abuse::kProtocol, NGHTTP2_PROTOCOL_ERROR, "stream numbers must grow");
    }
  }
}

int Http2Session::OnHeader(std::int32_t id, std::string_view name, std::string_view value) {
  if (id != head_stream_ || !in_header_block_) {
    return 0;  // a trailer: read and dropped
  }
  head_.Add(name, value);
  if (head_.list_byte_size() >
      kHeaderListFactorMax * listener_.options().http2.header_list_byte_size_max) {
    EndForAbuse(Http2Abuse::kHeaders, NGHTTP2_ENHANCE_YOUR_CALM, "headers");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  return 0;
}

void Http2Session::OnFrame(const nghttp2_frame& frame) {
  const bool end_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_SETTINGS:
      settings_received_ = true;
      break;
    case NGHTTP2_HEADERS:
      if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
        in_header_block_ = false;
        OnRequestHead(frame.hd.stream_id, end_stream);
      } else if (Http2Stream* stream = FindStream(frame.hd.stream_id);
                 stream != nullptr && end_stream) {
        stream->OnEndStream();
      }
      break;
    case NGHTTP2_DATA:
      if (Http2Stream* stream = FindStream(frame.hd.stream_id); stream != nullptr && end_stream) {
        stream->OnEndStream();
      }
      break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        shutdown_answered_ = shutdown_answered_ || IsShutdownPing(frame.ping.opaque_data);
      } else if (!pings_.OnPing(listener_.loop().now(), !streams_.empty())) {
        EndForAbuse(Http2Abuse::kPings, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
      }
      break;
    default:
      break;
  }
}

void Http2Session::OnRequestHead(std::int32_t id, bool end_stream) {
  if (ended_) {
    return;
  }
  ListenerCells& cells = listener_.cells();
  cells.http2_streams.Add(1);
  control_frames_.Earn(kTokensPerStream);
  std::shared_ptr<Http2Stream> stream;
  if (listener_.grpc_handler() != nullptr && head_.IsGrpc() && head_.method() == "POST") {
    stream = std::allocate_shared<GrpcServerCall>(SmallAllocator<GrpcServerCall>(), *this, id);
  } else {
    stream = std::allocate_shared<Http2Exchange>(SmallAllocator<Http2Exchange>(), *this, id);
  }
  nghttp2_session_set_stream_user_data(session_.get(), id, stream.get());
  streams_.emplace(id, stream);
  stream->Begin(std::move(head_), head_begun_, end_stream);
}

void Http2Session::OnData(std::int32_t id, std::string_view bytes) {
  data_left_ -= std::min(data_left_, bytes.size());
  data_end_ = bytes.data() + bytes.size();
  Http2Stream* stream = ended_ ? nullptr : FindStream(id);
  std::size_t withheld = 0;
  if (stream != nullptr && stream->answered()) {
    stream->OnLateData(bytes.size());
  } else if (stream != nullptr) {
    withheld = stream->OnData(bytes);
  }
  nghttp2_session_consume(session_.get(), id, bytes.size() - withheld);
  if (withheld > 0) {
    nghttp2_session_consume_connection(session_.get(), withheld);
  }
}

void Http2Session::OnStreamClosed(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found != streams_.end()) {
    const std::shared_ptr<Http2Stream> stream = std::move(found->second);
    streams_.erase(found);
    stream->Close();
  }
}

}  // namespace headrace::net
