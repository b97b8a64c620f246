// The half of Http2Session that sends.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "net/http2_session.h"
#include "net/http2_session_callbacks.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// What sent data adds to the bucket of control frames.
constexpr std::uint64_t kTokensPerDataFrame = 4;
constexpr std::uint64_t kByteSizePerToken = 1024;
constexpr std::array<std::uint8_t, 8> kShutdownPing = {'s', 'h', 'u', 't', 'd', 'o', 'w', 'n'};
// Frames that are larger than this hold up the other streams.
constexpr std::size_t kSentFrameByteSizeMax = 256 * 1024;

}  // namespace

bool Http2Session::IsShutdownPing(const std::uint8_t* data) {
  return std::memcmp(data, kShutdownPing.data(), kShutdownPing.size()) == 0;
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
    if (const auto fixed = stream->fixed_trailers(); !fixed.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      nghttp2_submit_trailer(session_.get(), id, fixed.data(), fixed.size());
    } else if (!stream->trailers().empty()) {
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
