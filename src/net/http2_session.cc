#include "net/http2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "net/grpc_server_call.h"
#include "net/http2_exchange.h"
#include "net/http2_session_callbacks.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// Decoded header bytes, in multiples of the limit, that end the connection: the block goes on being
// decoded behind the limit, because the peer's compression state depends on it.
constexpr std::size_t kHeaderListFactorMax = 8;
// What a stream and sent data add to the bucket of control frames.
constexpr std::uint64_t kTokensPerStream = 8;
constexpr std::uint64_t kTokensPerDataFrame = 4;
constexpr std::uint64_t kByteSizePerToken = 1024;
constexpr std::array<std::uint8_t, 8> kShutdownPing = {'s', 'h', 'u', 't', 'd', 'o', 'w', 'n'};
// Frames that are larger than this hold up the other streams.
constexpr std::size_t kSentFrameByteSizeMax = 256 * 1024;

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
  const int made = nghttp2_session_server_new2(&session, Callbacks::Get(), this, option);
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
  if (count >= 0) {
    return true;
  }
  const auto abuse = count == NGHTTP2_ERR_FLOODED ? Http2Abuse::kFlood : Http2Abuse::kProtocol;
  listener_.cells().abuses[static_cast<std::size_t>(abuse)].Add(1);
  return false;
}

std::span<char> Http2Session::DirectSpace() {
  if (data_left_ == 0 || ended_) {
    return {};
  }
  Http2Stream* stream = FindStream(data_stream_);
  if (stream == nullptr) {
    return {};
  }
  const std::span<char> space = stream->ReceiveSpace();
  return space.first(std::min(space.size(), data_left_));
}

bool Http2Session::Collect(GatherOutput& output, std::size_t byte_size) {
  output_ = &output;
  bool good = true;
  while (output.byte_size() < byte_size) {
    const std::uint8_t* data = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_.get(), &data);
    if (count <= 0) {
      good = count == 0;
      break;
    }
    output.AppendBytes({reinterpret_cast<const char*>(data), static_cast<std::size_t>(count)});
  }
  output_ = nullptr;
  return good;
}

void Http2Session::NotifyDrained() {
  for (const auto& stream : std::exchange(drained_, {})) {
    stream->OnDrained();
  }
}

bool Http2Session::finished() const {
  return ended_ ? goaway_sent_
                : nghttp2_session_want_read(session_.get()) == 0 &&
                      nghttp2_session_want_write(session_.get()) == 0;
}

void Http2Session::SubmitShutdownNotice() {
  nghttp2_submit_shutdown_notice(session_.get());
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, kShutdownPing.data());
  listener_.FlushLater(connection_);
}

void Http2Session::SubmitGoaway() {
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  listener_.FlushLater(connection_);
}

void Http2Session::SubmitPing() {
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
  listener_.FlushLater(connection_);
}

void Http2Session::SubmitHeaders(Http2Stream& stream, std::span<const nghttp2_nv> fields,
                                 bool end) {
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::ReadData;
  nghttp2_submit_response(session_.get(), stream.id(), fields.data(), fields.size(),
                          end ? nullptr : &provider);
  listener_.FlushLater(connection_);
}

void Http2Session::ResetStream(std::int32_t id, std::uint32_t error_code) {
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, error_code);
  listener_.FlushLater(connection_);
}

void Http2Session::Wake(Http2Stream& stream, bool deferred) {
  if (deferred) {
    nghttp2_session_resume_data(session_.get(), stream.id());
  }
  listener_.FlushLater(connection_);
}

void Http2Session::DrainedLater(Http2Stream& stream) {
  drained_.push_back(stream.shared_from_this());
}

void Http2Session::AllowLargeFrames() {
  if (large_frames_) {
    return;
  }
  large_frames_ = true;
  const nghttp2_settings_entry setting{NGHTTP2_SETTINGS_MAX_FRAME_SIZE,
                                       listener_.options().http2.frame_byte_size_max};
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, &setting, 1);
  listener_.FlushLater(connection_);
}

void Http2Session::GiveWindowBack(std::int32_t id, std::size_t byte_size) {
  nghttp2_session_consume_stream(session_.get(), id, byte_size);
  listener_.FlushLater(connection_);
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
        data_left_ = head.length;
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
        shutdown_answered_ =
            shutdown_answered_ ||
            std::memcmp(frame.ping.opaque_data, kShutdownPing.data(), kShutdownPing.size()) == 0;
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
    stream = std::make_shared<GrpcServerCall>(*this, id);
  } else {
    stream = std::make_shared<Http2Exchange>(*this, id);
  }
  nghttp2_session_set_stream_user_data(session_.get(), id, stream.get());
  streams_.emplace(id, stream);
  stream->Begin(std::move(head_), head_begun_, end_stream);
}

void Http2Session::OnData(std::int32_t id, std::string_view bytes) {
  data_left_ -= std::min(data_left_, bytes.size());
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

void Http2Session::OnFrameSent(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_DATA:
      ++data_frames_sent_;
      control_frames_.Earn(kTokensPerDataFrame + frame.hd.length / kByteSizePerToken);
      pings_.OnDataSent();
      break;
    case NGHTTP2_HEADERS:
      pings_.OnDataSent();
      break;
    case NGHTTP2_GOAWAY:
      goaway_sent_ = ended_;
      if (frame.goaway.error_code != NGHTTP2_NO_ERROR && !ended_) {
        listener_.cells().abuses[static_cast<std::size_t>(Http2Abuse::kProtocol)].Add(1);
      }
      return;
    case NGHTTP2_RST_STREAM:
      if (frame.rst_stream.error_code == NGHTTP2_REFUSED_STREAM) {
        listener_.cells().refused_streams.Add(1);
      }
      if (frame.rst_stream.error_code != NGHTTP2_NO_ERROR &&
          !resets_sent_.Take(listener_.loop().now())) {
        EndForAbuse(Http2Abuse::kResets, NGHTTP2_ENHANCE_YOUR_CALM, "resets");
      }
      return;
    default:
      return;
  }
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
      nghttp2_session_get_stream_remote_close(session_.get(), frame.hd.stream_id) == 0) {
    if (Http2Stream* stream = FindStream(frame.hd.stream_id); stream != nullptr) {
      stream->OnAnswered();
    }
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

ssize_t Http2Session::ReadData(std::int32_t id, std::size_t byte_size_max, std::uint32_t& flags) {
  Http2Stream* stream = FindStream(id);
  if (stream == nullptr) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  const Http2Stream::Next next = stream->NextData(std::min(byte_size_max, kSentFrameByteSizeMax));
  if (next.wait) {
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (next.end) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream->trailers().empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      std::vector<nghttp2_nv> fields;
      for (const auto& [name, value] : stream->trailers()) {
        fields.push_back(CopiedField(name, value));
      }
      nghttp2_submit_trailer(session_.get(), id, fields.data(), fields.size());
    }
  }
  return static_cast<ssize_t>(next.byte_size);
}

}  // namespace headrace::net
