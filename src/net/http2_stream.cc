#include "net/http2_stream.h"

#include <algorithm>

#include "base/check.h"
#include "net/http2_session.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// What a peer may still send when its answer is out before its stream is reset.
constexpr std::uint64_t kLateByteSizeMax = 64 * 1024;

nghttp2_nv Field(std::string_view name, std::string_view value, std::uint8_t flags) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), flags};
}

}  // namespace

nghttp2_nv StaticField(std::string_view name, std::string_view value) {
  return Field(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

nghttp2_nv CopiedField(std::string_view name, std::string_view value) {
  return Field(name, value, NGHTTP2_NV_FLAG_NONE);
}

Http2Stream::Http2Stream(Http2Session& session, std::int32_t id)
    : session_(&session), listener_(session.listener()), id_(id) {}

Http2Stream::~Http2Stream() = default;

void Http2Stream::Close() {
  session_ = nullptr;
  body_timeout_.Disarm();
  write_timeout_.Disarm();
  queue_.clear();
  first_ = offset_ = queued_byte_size_ = 0;
  OnClosed();
}

void Http2Stream::SubmitHeaders(std::span<const nghttp2_nv> fields, bool end) {
  session_->SubmitHeaders(*this, fields, end);
}

void Http2Stream::Queue(std::string_view prefix, const Buffer& buffer) {
  Slice slice;
  HEADRACE_CHECK(prefix.size() <= slice.prefix.size());
  std::copy(prefix.begin(), prefix.end(), slice.prefix.begin());
  slice.prefix_byte_size = static_cast<std::uint8_t>(prefix.size());
  slice.buffer = buffer;
  if (queued_byte_size_ == 0) {
    ArmWriteTimeout();
  }
  queued_byte_size_ += prefix.size() + buffer.size();
  queue_.push_back(std::move(slice));
}

void Http2Stream::QueueEnd(Http2Fields trailers) {
  trailers_ = std::move(trailers);
  ended_ = true;
}

void Http2Stream::QueueEnd(std::span<const nghttp2_nv> trailers) {
  fixed_trailers_ = trailers;
  ended_ = true;
}

void Http2Stream::Wake() { session_->Wake(*this, std::exchange(deferred_, false)); }

void Http2Stream::Reset(std::uint32_t error_code) { session_->ResetStream(id_, error_code); }

void Http2Stream::ArmBodyTimeout() {
  listener_.http2_timers().stream_body.Arm(body_timeout_, listener_.loop().now());
}

void Http2Stream::OnAnswered() {
  answered_ = true;
  ArmBodyTimeout();
}

void Http2Stream::OnLateData(std::size_t byte_size) {
  late_byte_size_ += byte_size;
  if (late_byte_size_ > kLateByteSizeMax) {
    Reset(NGHTTP2_NO_ERROR);
  }
}

void Http2Stream::OnBodyTimer() {
  if (answered_) {
    Reset(NGHTTP2_NO_ERROR);
  } else {
    OnBodyTimeout();
  }
}

void Http2Stream::ArmWriteTimeout() {
  Http2Timers& timers = listener_.http2_timers();
  taken_since_armed_ = 0;
  (IsStreaming() ? timers.stream_stall : timers.stream_write)
      .Arm(write_timeout_, listener_.loop().now());
}

// A peer that takes a byte now and then must not keep an answer's memory for ever: only progress at
// the rate of HttpLimits counts.
void Http2Stream::OnWriteTimeout() {
  const HttpLimits& limits = listener_.limits();
  const std::uint64_t progress = limits.body_bytes_per_second_min *
                                 static_cast<std::uint64_t>(limits.write_idle_timeout / kSecond);
  if (taken_since_armed_ >= std::max<std::uint64_t>(progress, 1)) {
    ArmWriteTimeout();
    return;
  }
  listener_.cells().timeouts.Add(1);
  Reset(NGHTTP2_CANCEL);
}

Http2Stream::Next Http2Stream::NextData(std::size_t byte_size_max) {
  Next next;
  next.byte_size = std::min<std::uint64_t>(queued_byte_size_, byte_size_max);
  next.end = ended_ && next.byte_size == queued_byte_size_;
  next.wait = next.byte_size == 0 && !ended_;
  deferred_ = next.wait;
  return next;
}

void Http2Stream::Take(std::size_t byte_size, GatherOutput& output) {
  const std::uint64_t before = queued_byte_size_;
  queued_byte_size_ -= byte_size;
  taken_since_armed_ += byte_size;
  while (byte_size > 0) {
    Slice& slice = queue_[first_];
    if (offset_ < slice.prefix_byte_size) {
      const std::size_t part = std::min(byte_size, slice.prefix_byte_size - offset_);
      output.AppendBytes({slice.prefix.data() + offset_, part});
      offset_ += part;
      byte_size -= part;
    }
    const std::size_t skip = offset_ - slice.prefix_byte_size;
    const std::size_t part = std::min(byte_size, slice.buffer.size() - skip);
    if (part > 0) {
      output.AppendBuffer(part == slice.buffer.size() ? slice.buffer
                                                      : slice.buffer.Slice(skip, part));
      offset_ += part;
      byte_size -= part;
    }
    if (offset_ == slice.prefix_byte_size + slice.buffer.size()) {
      slice.buffer = Buffer();
      ++first_;
      offset_ = 0;
    }
  }
  if (queued_byte_size_ == 0) {
    queue_.clear();
    first_ = offset_ = 0;
    write_timeout_.Disarm();
  } else if (first_ >= 64 && first_ * 2 >= queue_.size()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  if (before > drained_mark_ && queued_byte_size_ <= drained_mark_) {
    session_->DrainedLater(*this);
  }
}

}  // namespace headrace::net
