#include "net/http2_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/http_listener.h"

namespace headrace::net {
namespace {

// Reads of one connection before the others have their turn.
constexpr int kReadsPerTurn = 32;
// Reads that expect nothing after one that expected the wrong frames: a wrong guess costs a copy.
constexpr int kPlansPaused = 16;
// What is gathered for one system call.
constexpr std::size_t kWriteByteSize = 256 * 1024;
constexpr int kWritesPerTurn = 64;
// What is read and thrown away so that the peer sees why we close.
constexpr std::uint64_t kLingerByteSizeMax = std::uint64_t{16} << 20;

// `age` varied by up to a tenth, so that connections of one time do not end at one time.
Nanos WithJitter(Nanos age, std::uint64_t seed) {
  // splitmix64's finaliser.
  seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9u;
  seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EBu;
  const auto tenths = static_cast<Nanos>((seed ^ (seed >> 31)) % 2001) - 1000;  // of 1/10000
  return age + age / 10'000 * tenths;
}

}  // namespace

Http2Connection::Http2Connection(ByteStream stream, HttpListener& listener)
    : stream_(std::move(stream)),
      listener_(listener),
      session_(listener, *this),
      received_(listener.loop().now()) {}

Http2Connection::~Http2Connection() = default;

void Http2Connection::Begin(std::string_view received) {
  if (!session_.Start()) {
    Close();
    return;
  }
  const Http2Limits& limits = listener_.options().http2;
  const Nanos now = listener_.loop().now();
  listener_.http2_timers().keepalive.Arm(keepalive_, now);
  if (limits.connection_age_max != kNever) {
    const auto seed = static_cast<std::uint64_t>(now) ^ reinterpret_cast<std::uintptr_t>(this);
    listener_.http2_timers().deadlines.Arm(age_, now + WithJitter(limits.connection_age_max, seed));
  }
  readable_ = true;
  if (received.empty() || Feed(received)) {
    Read();
  }
}

void Http2Connection::OnEvents(std::uint32_t events) {
  if (state_ == State::kClosed) {
    return;
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    Close();
    return;
  }
  readable_ = readable_ || (events & (EPOLLIN | EPOLLRDHUP)) != 0;
  peer_closed_ = peer_closed_ || (events & EPOLLRDHUP) != 0;
  if ((events & EPOLLOUT) != 0) {
    writable_ = true;
    if (!output_.empty()) {
      listener_.FlushLater(*this);
    }
  }
  if (state_ == State::kLinger) {
    Linger();
  } else {
    Read();
  }
}

void Http2Connection::Read() {
  char* scratch = listener_.loop().impl().scratch();
  for (int reads = 0; readable_ && state_ < State::kLinger; ++reads) {
    if (reads == kReadsPerTurn) {
      listener_.loop().impl().ResumeLater(*this);
      break;
    }
    // A large body goes straight to its place, and what comes behind it to the scratch memory.
    DataFrameState state = session_.DataState();
    if (plans_paused_ > 0) {
      --plans_paused_;
      state.following = {};
    }
    DataFramePlan plan(state, {scratch, EventLoop::Impl::kScratchByteSize});
    const ssize_t count = stream_.Receive(plan.pieces());
    if (count > 0) {
      const auto byte_size = static_cast<std::size_t>(count);
      readable_ = stream_.MayHoldMore(byte_size, plan.byte_size()) || peer_closed_;
      received_ = listener_.loop().now();
      heard_since_ping_ = true;
      listener_.cells().bytes_received.Add(byte_size);
      plan.Received(byte_size);
      plans_paused_ = plan.as_planned() ? plans_paused_ : kPlansPaused;
      for (const std::string_view part : plan.parts()) {
        if (!Feed(part)) {
          return;
        }
      }
    } else if (count < 0 && errno == EAGAIN) {
      readable_ = false;
    } else if (count == 0 || errno != EINTR) {
      Close();
      return;
    }
  }
  ArmTimeouts();
}

// False when the connection was closed.
bool Http2Connection::Feed(std::string_view bytes) {
  if (bytes.empty() || session_.Receive(bytes)) {
    return state_ != State::kClosed;
  }
  // What is queued, a GOAWAY perhaps, still goes out.
  Flush();
  if (state_ < State::kLinger) {
    BeginLinger();
  }
  return false;
}

void Http2Connection::Flush() {
  if (state_ >= State::kLinger) {
    return;
  }
  int writes = 0;
  while (writable_) {
    std::string& memory = listener_.loop().impl().head_scratch();
    // Of what an earlier turn left here it is not known whether more was to come behind it.
    bool all = false;
    if (output_.empty()) {
      output_.Borrow(memory);
      if (!session_.Collect(output_, kWriteByteSize)) {
        Close();
        return;
      }
      all = output_.byte_size() < kWriteByteSize;
    }
    WriteOutput();
    if (state_ == State::kClosed) {
      return;
    }
    if (output_.empty()) {
      output_.GiveBack(memory);
      if (all) {
        break;
      }
    }
    if (++writes == kWritesPerTurn) {
      listener_.FlushLater(*this);
      break;
    }
  }
  session_.NotifyDrained();
  if (state_ == State::kNoticed && session_.shutdown_answered()) {
    FinishDrain();
  }
  const bool done = state_ == State::kDraining && session_.stream_count() == 0;
  if (state_ < State::kLinger && output_.empty() && (done || session_.finished())) {
    BeginLinger();
  }
  ArmTimeouts();
}

void Http2Connection::WriteOutput() {
  const GatherOutput::Progress progress = output_.Write(stream_);
  listener_.cells().bytes_sent.Add(progress.byte_size);
  written_since_armed_ += progress.byte_size;
  switch (progress.outcome) {
    case GatherOutput::Outcome::kDone:
      write_timeout_.Disarm();
      blocked_ = false;
      break;
    case GatherOutput::Outcome::kBlocked:
      writable_ = false;
      if (!blocked_ || TookEnough()) {
        ArmWriteTimeout();
      }
      break;
    case GatherOutput::Outcome::kFailed:
      Close();
      break;
  }
}

void Http2Connection::BeginDrain() {
  if (state_ != State::kOpen) {
    return;
  }
  // Requests that the loop has not seen yet are still answered.
  state_ = State::kNoticed;
  session_.SubmitShutdownNotice();
  listener_.http2_timers().goaway.Arm(goaway_, listener_.loop().now());
}

void Http2Connection::FinishDrain() {
  goaway_.Disarm();
  state_ = State::kDraining;
  session_.SubmitGoaway();
}

void Http2Connection::OnGoawayUnanswered() { FinishDrain(); }

// The writing side ends; what the peer still sends is dropped, so that no reset overtakes what was
// written.
void Http2Connection::BeginLinger() {
  stream_.ShutdownWrite();
  state_ = State::kLinger;
  output_.Clear();
  linger_byte_size_ = 0;
  readable_ = true;
  write_timeout_.Disarm();
  idle_timeout_.Disarm();
  keepalive_.Disarm();
  goaway_.Disarm();
  age_.Disarm();
  listener_.timeouts().linger.Arm(timeout_, listener_.loop().now());
  Linger();
}

void Http2Connection::Linger() {
  while (readable_) {
    const ssize_t count = stream_.Drop(std::size_t{1} << 20);
    if (count > 0) {
      linger_byte_size_ += static_cast<std::uint64_t>(count);
    }
    if (count < 0 && errno == EAGAIN) {
      readable_ = false;
    } else if (count <= 0 || linger_byte_size_ > kLingerByteSizeMax) {
      Close();
      return;
    }
  }
}

void Http2Connection::Close() {
  if (state_ == State::kClosed) {
    return;
  }
  state_ = State::kClosed;
  timeout_.Disarm();
  write_timeout_.Disarm();
  idle_timeout_.Disarm();
  keepalive_.Disarm();
  goaway_.Disarm();
  age_.Disarm();
  output_.Clear();
  listener_.loop().impl().Remove(stream_.fd());
  stream_.Close();
  session_.CloseStreams();
  listener_.OnClosed(*this);
}

void Http2Connection::ArmTimeouts() {
  if (state_ >= State::kLinger) {
    return;
  }
  const Nanos now = listener_.loop().now();
  const bool waits_for_head = !session_.settings_received() || session_.in_header_block();
  if (waits_for_head && !waits_for_head_) {
    listener_.timeouts().header.Arm(timeout_, now);
  } else if (!waits_for_head) {
    timeout_.Disarm();
  }
  waits_for_head_ = waits_for_head;
  const bool idle = session_.stream_count() == 0;
  if (idle && !idle_) {
    listener_.http2_timers().idle.Arm(idle_timeout_, now);
  } else if (!idle) {
    idle_timeout_.Disarm();
  }
  idle_ = idle;
}

void Http2Connection::ArmWriteTimeout() {
  blocked_ = true;
  unacknowledged_when_armed_ = stream_.UnacknowledgedByteSize();
  written_since_armed_ = 0;
  listener_.http2_timers().write.Arm(write_timeout_, listener_.loop().now());
}

void Http2Connection::OnWriteTimeout() {
  if (TookEnough()) {
    ArmWriteTimeout();
    return;
  }
  listener_.cells().timeouts.Add(1);
  Close();
}

void Http2Connection::OnTimeout() {
  if (state_ != State::kLinger) {
    listener_.cells().timeouts.Add(1);
  }
  Close();
}

void Http2Connection::OnIdle() {
  idle_ = false;
  BeginDrain();
}

void Http2Connection::OnAge() {
  if (state_ == State::kOpen) {
    BeginDrain();
    const Nanos grace = listener_.options().http2.connection_age_grace;
    if (grace != kNever) {
      listener_.http2_timers().deadlines.Arm(age_, listener_.loop().now() + grace);
    }
  } else {
    Close();
  }
}

void Http2Connection::OnKeepalive() {
  const Http2Limits& limits = listener_.options().http2;
  const Nanos now = listener_.loop().now();
  if (session_.data_frames_sent() != data_frames_when_pinged_) {
    pings_without_data_ = 0;
  }
  const bool silent = now - received_ >= limits.keepalive_time;
  const bool allowed =
      (session_.stream_count() > 0 || limits.keepalive_permit_without_calls) &&
      (limits.pings_without_data_max == 0 || pings_without_data_ < limits.pings_without_data_max);
  if (!silent || !allowed) {
    listener_.http2_timers().keepalive.Arm(keepalive_, now);
    return;
  }
  ++pings_without_data_;
  data_frames_when_pinged_ = session_.data_frames_sent();
  heard_since_ping_ = false;
  session_.SubmitPing();
  listener_.http2_timers().keepalive_answer.Arm(keepalive_, now);
}

void Http2Connection::OnKeepaliveUnanswered() {
  if (heard_since_ping_) {
    listener_.http2_timers().keepalive.Arm(keepalive_, listener_.loop().now());
    return;
  }
  listener_.cells().timeouts.Add(1);
  Close();
}

// As HttpConnection's: what counts is what the peer has acknowledged, at the rate of HttpLimits.
bool Http2Connection::TookEnough() const {
  const HttpLimits& limits = listener_.limits();
  const std::uint64_t progress = limits.body_bytes_per_second_min *
                                 static_cast<std::uint64_t>(limits.write_idle_timeout / kSecond);
  const std::uint64_t handed_over = unacknowledged_when_armed_ + written_since_armed_;
  return handed_over >= stream_.UnacknowledgedByteSize() + std::max<std::uint64_t>(progress, 1);
}

}  // namespace headrace::net
