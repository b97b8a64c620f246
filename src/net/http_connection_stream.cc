// The half of HttpConnection that sends answers in pieces.
#include <memory>
#include <string>
#include <utility>

#include "net/http_connection.h"
#include "net/http_listener.h"

namespace headrace::net {

bool HttpConnection::InWork() const {
  const bool streams = state_ == State::kStream || state_ == State::kStreamBlocked;
  return state_ == State::kWork || (streams && exchange_ != nullptr);
}

void HttpConnection::BeginStream(HttpResponse head) {
  if (state_ != State::kWork) {
    return;
  }
  // Only the end of the connection tells such a peer the end of the body.
  ResponseFraming framing = BeginAnswer(head.close || parser_.http_1_0());
  framing.streamed = true;
  std::string bytes;
  AppendResponseHead(head, framing, bytes);
  const StreamCoding coding = framing.head_only  ? StreamCoding::kHeadOnly
                              : framing.http_1_0 ? StreamCoding::kUntilClose
                                                 : StreamCoding::kChunked;
  streamed_ = std::make_unique<StreamedOutput>(std::move(bytes), coding);
  state_ = State::kStream;
  listener_.FlushLater(*this);
}

void HttpConnection::SendPiece(Buffer piece) {
  if (streamed_ == nullptr) {
    return;
  }
  streamed_->Append(std::move(piece));
  if (state_ == State::kStream) {
    listener_.FlushLater(*this);
  }
}

void HttpConnection::EndStream() {
  if (streamed_ == nullptr) {
    return;
  }
  if (draining_) {
    close_after_ = linger_ = true;
  }
  streamed_->End();
  EndExchange(false);
  if (state_ == State::kStream) {
    listener_.FlushLater(*this);
  }
}

void HttpConnection::BreakStream() {
  if (streamed_ == nullptr) {
    return;
  }
  if (state_ == State::kStream) {
    WriteStream();  // what was given before still goes out
  }
  Close();
}

std::uint64_t HttpConnection::unsent_byte_size() const {
  return streamed_ != nullptr ? streamed_->unsent_byte_size() : 0;
}

void HttpConnection::Flush() {
  if (state_ == State::kStream) {
    WriteStream();
    Advance();
  }
}

void HttpConnection::WriteStream() {
  const GatherOutput::Progress progress = streamed_->Write(stream_);
  listener_.cells().bytes_sent.Add(progress.byte_size);
  written_since_armed_ += progress.byte_size;
  switch (progress.outcome) {
    case GatherOutput::Outcome::kDone:
      if (streamed_->ended()) {
        streamed_.reset();
        AfterResponse();
      } else {
        state_ = State::kStream;
      }
      break;
    case GatherOutput::Outcome::kBlocked:
      writable_ = false;
      state_ = State::kStreamBlocked;
      break;
    case GatherOutput::Outcome::kFailed:
      Close();
      break;
  }
}

}  // namespace headrace::net
