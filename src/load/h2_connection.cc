#include "load/h2_connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "load/socket_address.h"
#include "net/tls_client_context.h"

namespace headrace::load {
namespace {

// More is not gathered before the kernel has taken some.
constexpr std::size_t kOutputByteSizeMax = std::size_t{1} << 20;
constexpr std::int32_t kWindow = INT32_MAX;
constexpr std::uint32_t kFrameByteSizeMax = std::uint32_t{1} << 20;
// Reads of one turn; then others have their turn.
constexpr int kReadCountMax = 16;

}  // namespace

// What nghttp2 calls.
struct H2Connection::Callbacks {
  static H2Connection& Self(void* user) { return *static_cast<H2Connection*>(user); }
  static H2Call* CallOf(nghttp2_session* session, std::int32_t stream) {
    return static_cast<H2Call*>(nghttp2_session_get_stream_user_data(session, stream));
  }
  static std::string_view View(const std::uint8_t* data, std::size_t byte_size) {
    return {reinterpret_cast<const char*>(data), byte_size};
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame,
                      const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                      std::size_t value_size, std::uint8_t, void*) {
    if (H2Call* const call = CallOf(session, frame->hd.stream_id)) {
      call->OnHeader(View(name, name_size), View(value, value_size));
    }
    return 0;
  }

  static int OnData(nghttp2_session* session, std::uint8_t, std::int32_t stream,
                    const std::uint8_t* data, std::size_t byte_size, void*) {
    if (H2Call* const call = CallOf(session, stream)) {
      call->OnData(View(data, byte_size));
    }
    return 0;
  }

  static int OnClose(nghttp2_session* session, std::int32_t stream, std::uint32_t error_code,
                     void* user) {
    H2Call* const call = CallOf(session, stream);
    if (call != nullptr) {
      Forget(Self(user), *call);
      call->OnClosed(error_code);
    }
    return 0;
  }

  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    H2Connection& self = Self(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self.draining_ = true;
    } else if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
      self.streams_max_ =
          nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    }
    return 0;
  }

  static int BeforeFrame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) {
      const H2Call* const call = CallOf(session, frame->hd.stream_id);
      if (call != nullptr && call->mark_ != 0) {
        Self(user).Mark(call->mark_);
      }
    }
    return 0;
  }

  static ssize_t ReadBody(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t byte_size,
                          std::uint32_t* flags, nghttp2_data_source* source, void*) {
    bool last = false;
    const std::size_t ready = static_cast<H2Call*>(source->ptr)->ReadyByteSize(last);
    if (ready == 0 && !last) {
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (last && ready <= byte_size) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(std::min(ready, byte_size));
  }

  static int SendBody(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head,
                      std::size_t byte_size, nghttp2_data_source* source, void* user) {
    constexpr std::size_t kHeadByteSize = 9;
    H2Connection& self = Self(user);
    self.output_.AppendBytes(View(head, kHeadByteSize));
    static_cast<H2Call*>(source->ptr)->AppendBody(self.output_, byte_size);
    return 0;
  }

  static void Forget(H2Connection& self, H2Call& call) {
    self.calls_[call.position_] = self.calls_.back();
    self.calls_[call.position_]->position_ = call.position_;
    self.calls_.pop_back();
    call.connection_ = nullptr;
  }
};

H2Connection::H2Connection(Poller& poller, Owner& owner, const H2Endpoint& endpoint)
    : poller_(poller), owner_(owner), endpoint_(endpoint) {}

H2Connection::~H2Connection() { Close(); }

void H2Connection::Begin() {
  HEADRACE_CHECK(idle());
  address_ = 0;
  begun_at_ = Clock::Real().Now();
  TryNextAddress(OkStatus());
}

// `why` the one before it failed.
void H2Connection::TryNextAddress(const Status& why) {
  Status last = why;
  Release();
  while (address_ < endpoint_.addresses.size()) {
    auto fd = StartConnect(endpoint_.addresses[address_++]);
    if (!fd.ok()) {
      last = Unavailable("cannot connect to {}: {}", endpoint_.name, fd.status().message());
      continue;
    }
    fd_ = *std::move(fd);
    last = poller_.Add(fd_.get(), EPOLLOUT, *this);
    if (last.ok()) {
      watched_ = EPOLLOUT;
      state_ = State::kConnecting;
      return;
    }
    fd_.Reset();
  }
  Fail(last);
}

void H2Connection::OnConnected() {
  int error = 0;
  socklen_t byte_size = sizeof(error);
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &byte_size);
  if (error != 0) {
    TryNextAddress(Unavailable("cannot connect to {}: {}", endpoint_.name, std::strerror(error)));
    return;
  }
  Watch(EPOLLIN);
  if (endpoint_.tls == nullptr) {
    stream_.emplace(std::move(fd_));
    StartSession();
    return;
  }
  handshake_ = endpoint_.tls->NewSession(fd_.get());
  if (handshake_ == nullptr) {
    Fail(ResourceExhausted("no memory for TLS to {}", endpoint_.name));
    return;
  }
  state_ = State::kHandshake;
  ContinueHandshake();
}

void H2Connection::ContinueHandshake() {
  switch (handshake_->ContinueHandshake()) {
    case net::TlsSession::Handshake::kWaits:
      return;
    case net::TlsSession::Handshake::kFailed:
      Fail(Unavailable("TLS with {} failed: {}", endpoint_.name, handshake_->failure()));
      return;
    case net::TlsSession::Handshake::kDone:
      break;
  }
  if (handshake_->protocol() != "h2") {
    Fail(Unavailable("{} does not speak HTTP/2 over TLS (ALPN): it is no gRPC server",
                     endpoint_.name));
    return;
  }
  stream_.emplace(std::move(fd_), std::move(handshake_));
  StartSession();
}

void H2Connection::StartSession() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnClose);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, Callbacks::BeforeFrame);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, Callbacks::SendBody);
  nghttp2_session* session = nullptr;
  nghttp2_session_client_new(&session, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  HEADRACE_CHECK(session != nullptr);
  session_.reset(session);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kWindow)},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameByteSizeMax}};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kWindow);
  draining_ = false;
  fresh_ = true;
  streams_max_ = 0;
  state_ = State::kSettings;
  Flush();
  // TLS may have read what came behind the handshake.
  if (state_ == State::kSettings && endpoint_.tls != nullptr) {
    Read();
  }
}

void H2Connection::OnEvents(std::uint32_t events) {
  switch (state_) {
    case State::kIdle:
      return;
    case State::kConnecting:
      OnConnected();
      return;
    case State::kHandshake:
      ContinueHandshake();
      return;
    case State::kSettings:
    case State::kOpen:
      if ((events & EPOLLOUT) != 0) {
        Flush();
      }
      if (state_ != State::kIdle && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        Read();
      }
  }
}

void H2Connection::Read() {
  const std::span<char> buffer = owner_.read_buffer();
  for (int i = 0; i < kReadCountMax; ++i) {
    const ssize_t count = stream_->Receive(buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      break;
    }
    if (count <= 0) {
      const Status lost = Unavailable("{} closed the connection{}{}", endpoint_.name,
                                      count < 0 ? ": " : "", count < 0 ? std::strerror(errno) : "");
      Fail(state_ == State::kOpen ? lost : NotHttp2("closed the connection"));
      return;
    }
    read_at_ = Clock::Real().Now();
    const auto byte_size = static_cast<std::size_t>(count);
    if (state_ == State::kSettings && first_bytes_.size() < 8) {
      first_bytes_.append(buffer.data(), std::min<std::size_t>(byte_size, 8));
    }
    const ssize_t used = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t*>(buffer.data()), byte_size);
    if (used < 0 || nghttp2_session_want_read(session_.get()) == 0) {
      Fail(draining_ ? Unavailable("{} asked the connection to end", endpoint_.name)
           : state_ == State::kOpen
               ? Unavailable("{} broke HTTP/2: {}", endpoint_.name,
                             nghttp2_strerror(static_cast<int>(std::min<ssize_t>(used, 0))))
               : NotHttp2("does not speak HTTP/2"));
      return;
    }
    if (state_ == State::kSettings && streams_max_ > 0) {
      state_ = State::kOpen;
      owner_.OnOpen(*this);
    }
    if (!stream_->MayHoldMore(byte_size, buffer.size())) {
      break;
    }
  }
  if (nghttp2_session_want_write(session_.get()) != 0) {
    WantFlush();
  }
  if (draining_ && calls_.empty()) {
    Fail(Unavailable("{} asked the connection to end", endpoint_.name));
  }
}

Status H2Connection::NotHttp2(std::string_view what) const {
  std::string_view hint = "is it the server's gRPC port?";
  if (first_bytes_.starts_with("HTTP/")) {
    what = "answers HTTP/1.1, not HTTP/2";
    hint = "is it the HTTP port? gRPC has one of its own, often 8001";
  } else if (first_bytes_.starts_with("\x15\x03") ||
             (endpoint_.tls == nullptr && first_bytes_.empty())) {
    hint = "if it wants TLS, say --tls; else, is it the server's gRPC port?";
  }
  return Unavailable("{} {}: {}", endpoint_.name, what, hint);
}

bool H2Connection::Submit(H2Call& call, std::span<const nghttp2_nv> fields, std::uint64_t mark) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &call;
  provider.read_callback = Callbacks::ReadBody;
  const std::int32_t stream = nghttp2_submit_request(session_.get(), nullptr, fields.data(),
                                                     fields.size(), &provider, &call);
  if (stream < 0) {
    draining_ = true;
    return false;
  }
  call.connection_ = this;
  call.stream_ = stream;
  call.mark_ = mark;
  call.position_ = calls_.size();
  calls_.push_back(&call);
  fresh_ = false;
  WantFlush();
  return true;
}

void H2Connection::Resume(H2Call& call) {
  if (call.connection_ == this) {
    nghttp2_session_resume_data(session_.get(), call.stream_);
    WantFlush();
  }
}

void H2Connection::Cancel(H2Call& call) {
  if (call.connection_ == this) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, call.stream_, NGHTTP2_CANCEL);
    WantFlush();
  }
}

void H2Connection::WantFlush() {
  if (!std::exchange(wants_flush_, true)) {
    owner_.OnWantsFlush(*this);
  }
}

void H2Connection::Flush() {
  wants_flush_ = false;
  if (session_ == nullptr) {
    return;
  }
  for (;;) {
    while (output_.byte_size() < kOutputByteSizeMax) {
      const std::uint8_t* data = nullptr;
      const ssize_t count = nghttp2_session_mem_send(session_.get(), &data);
      if (count < 0) {
        Fail(Unavailable("HTTP/2 with {} failed: {}", endpoint_.name,
                         nghttp2_strerror(static_cast<int>(count))));
        return;
      }
      if (count == 0) {
        break;
      }
      output_.AppendBytes(Callbacks::View(data, static_cast<std::size_t>(count)));
    }
    if (output_.empty()) {
      Watch(EPOLLIN);
      return;
    }
    if (!WriteOut()) {
      return;
    }
  }
}

// False: the kernel takes no more now, or the connection is over.
bool H2Connection::WriteOut() {
  const Nanos now = Clock::Real().Now();
  const net::GatherOutput::Progress progress = output_.Write(*stream_);
  written_ += progress.byte_size;
  while (!marks_.empty() && marks_.front().offset < written_) {
    const std::uint64_t mark = marks_.front().mark;
    marks_.pop_front();
    owner_.OnWritten(mark, now);
  }
  if (progress.outcome == net::GatherOutput::Outcome::kFailed) {
    const Status lost =
        Unavailable("{} closed the connection: {}", endpoint_.name, std::strerror(errno));
    Fail(state_ == State::kOpen ? lost : NotHttp2("closed the connection"));
    return false;
  }
  if (progress.outcome == net::GatherOutput::Outcome::kBlocked) {
    Watch(EPOLLIN | EPOLLOUT);
    return false;
  }
  return true;
}

void H2Connection::Watch(std::uint32_t events) {
  if (watched_ != events) {
    watched_ = events;
    (void)poller_.Modify(stream_ ? stream_->fd() : fd_.get(), events, *this);
  }
}

void H2Connection::Release() {
  if (state_ != State::kIdle) {
    poller_.Remove(stream_ ? stream_->fd() : fd_.get(), *this);
  }
  state_ = State::kIdle;
  session_.reset();
  stream_.reset();
  handshake_.reset();
  fd_.Reset();
  output_.Clear();
  marks_.clear();
  first_bytes_.clear();
  written_ = 0;
  watched_ = 0;
}

void H2Connection::Close() {
  Release();
  // From a copy: a call that hears of its end may begin another elsewhere.
  for (H2Call* const call : std::exchange(calls_, {})) {
    call->connection_ = nullptr;
    call->OnClosed(H2Call::kLost);
  }
}

void H2Connection::Fail(const Status& why) {
  const bool was_open = open();
  Close();
  owner_.OnDown(*this, why, was_open);
}

}  // namespace headrace::load
