// One HTTP/1.1 connection: reads requests, places bodies, writes answers, one request at a time and
// in order.
//
// All of it runs on the loop's thread. A connection belongs to its HttpListener and dies at the end
// of the turn in which it closed. Idle ones hold no buffers: bytes are read into the loop's scratch
// memory, strings of a head live in its exchange, and bytes of the next request wait in the kernel
// while one is in work.
//
// A peer that has closed its half while its request is in work may only have finished sending, or
// may be gone. ProbePeer finds out: the first bytes of the answer's status line go out at once, and
// a host that has closed the whole socket answers them with a reset, which cancels the request. A
// streamed answer that pauses is probed likewise (StreamedOutput::Probe).
#ifndef HEADRACE_NET_HTTP_CONNECTION_H_
#define HEADRACE_NET_HTTP_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/body_block.h"
#include "net/byte_stream.h"
#include "net/connection.h"
#include "net/http.h"
#include "net/http_parser.h"
#include "net/response_output.h"
#include "net/streamed_output.h"
#include "net/timeout_list.h"

namespace headrace::net {

class HttpListener;

class HttpConnection final : public Connection, public HttpResponder {
 public:
  // `listener` is borrowed.
  HttpConnection(ByteStream stream, HttpListener& listener);
  ~HttpConnection() override;

  void Begin(std::string_view received) override;
  void OnEvents(std::uint32_t events) override;
  // The answer to the request in work (HttpExchange::Respond).
  void Respond(HttpResponse response) override;
  // The same in pieces (HttpExchange::BeginStream).
  void BeginStream(HttpResponse head) override;
  void SendPiece(Buffer piece) override;
  void EndStream() override;
  void BreakStream() override;
  std::uint64_t unsent_byte_size() const override;
  void Flush() override;
  void OnTimeout() override;
  void OnRateCheck() override;
  void BeginDrain() override;
  void Close() override;

 private:
  enum class State : std::uint8_t {
    kIdle,
    kHead,
    kBody,
    kWork,
    kWrite,
    kStream,         // a streamed answer is under way, and what there is of it is out
    kStreamBlocked,  // the same, and the socket takes no more
    kLinger,
    kClosed
  };

  void Advance();
  bool Step();
  bool FillInput();
  void SaveInput();
  void ArmTimeouts();
  bool TookEnough() const;
  void ArmWriteTimeout();

  bool StepHead();
  bool StepSizedBody();
  bool StepChunkedBody();
  bool StepLinger();
  void OnHeadComplete();
  void StartBody(const BodyPlan& plan);
  void Dispatch();
  void Refuse(BodyPlan plan);
  void Fail(HttpFailure failure);

  bool InWork() const;
  bool Blocked() const { return state_ == State::kWrite || state_ == State::kStreamBlocked; }
  ResponseFraming BeginAnswer(bool close);
  void Send(HttpResponse response);
  void WriteStream();
  void OnProgress(ResponseOutput::Progress progress);
  void AfterResponse();
  void SendContinue();
  void ProbePeer();
  void EndExchange(bool cancelled);

  ByteStream stream_;
  HttpListener& listener_;
  State state_ = State::kIdle;
  State timed_state_ = State::kClosed;  // what the timeout was armed for
  bool advancing_ = false;
  bool readable_ = false;
  bool writable_ = true;
  bool peer_closed_ = false;  // its FIN has come; bytes before it may wait
  bool prefix_sent_ = false;  // kStatusLinePrefix of the current answer is out
  bool draining_ = false;
  bool close_after_ = false;  // the current answer is the last
  bool linger_ = false;       // and the peer may still be sending
  int reads_left_ = 0;        // in this turn
  std::uint32_t request_count_ = 0;
  std::uint32_t timed_request_ = 0;

  HttpParser parser_;
  HttpExchangeRef exchange_;
  BodyBlock body_;
  std::uint64_t body_byte_size_max_ = 0;
  ResponseOutput output_;
  std::unique_ptr<StreamedOutput> streamed_;  // null but for a streamed answer
  std::string_view input_;                    // bytes read and not yet consumed, during Advance
  std::string saved_;                         // the same between two turns
  std::uint64_t linger_byte_size_ = 0;
  std::uint64_t written_since_armed_ = 0;
  std::uint64_t unacknowledged_when_armed_ = 0;
  Nanos opened_ = 0;
  Nanos body_began_ = 0;
  TimeoutEntry timeout_{static_cast<Connection*>(this)};
  TimeoutEntry rate_check_{static_cast<Connection*>(this)};
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP_CONNECTION_H_
