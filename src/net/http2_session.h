// HTTP/2 as nghttp2 does it, with the limits that keep one peer from costing much (reliability
// D11): bytes in, streams with their events, bytes out. Knows no socket.
#ifndef HEADRACE_NET_HTTP2_SESSION_H_
#define HEADRACE_NET_HTTP2_SESSION_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/small_memory.h"
#include "net/connection.h"
#include "net/data_frame_plan.h"
#include "net/gather_output.h"
#include "net/http2_head.h"
#include "net/http2_stream.h"
#include "net/listener_cells.h"
#include "net/ping_policy.h"
#include "net/token_bucket.h"

namespace headrace::net {

class HttpListener;

// On the loop's thread. What the streams' handlers send is written when the owner asks for it
// (Collect); `connection` is told to (HttpListener::FlushLater).
class Http2Session {
 public:
  Http2Session(HttpListener& listener, Connection& connection);
  // Closes what streams are left.
  ~Http2Session();
  // The connection is gone.
  void CloseStreams();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Queues our settings. False: no memory.
  bool Start();
  // False: the peer broke the protocol beyond repair, or there is no memory; close the connection.
  bool Receive(std::string_view bytes);
  // Where the next received bytes should go to, because they belong to a large body.
  DataFrameState DataState();
  // Moves what is to be sent into `output`, until about `byte_size` bytes are there. False as
  // above.
  bool Collect(GatherOutput& output, std::size_t byte_size);
  // Calls the handlers whose output has drained.
  void NotifyDrained();
  // True once nothing more will be read or sent.
  bool finished() const;

  std::size_t stream_count() const { return streams_.size(); }
  bool settings_received() const { return settings_received_; }
  // A header block has begun and is not complete.
  bool in_header_block() const { return in_header_block_; }
  std::uint64_t data_frames_sent() const { return data_frames_sent_; }

  // Tells the peer that the connection will end, with a ping whose answer says that it knows.
  void SubmitShutdownNotice();
  bool shutdown_answered() const { return shutdown_answered_; }
  // Takes no further stream; those that are open go on.
  void SubmitGoaway();
  void SubmitPing();

  // For the streams.
  HttpListener& listener() { return listener_; }
  std::uint64_t peer() const { return connection_.peer(); }
  void SubmitHeaders(Http2Stream& stream, std::span<const nghttp2_nv> fields, bool end);
  void ResetStream(std::int32_t id, std::uint32_t error_code);
  void Wake(Http2Stream& stream, bool deferred);
  void DrainedLater(Http2Stream& stream);
  // A large body begins: from now on the peer may send larger frames.
  void AllowLargeFrames();
  // Gives the stream's window back for bytes that OnData has withheld.
  void GiveWindowBack(std::int32_t id, std::size_t byte_size);

 private:
  struct Callbacks;
  struct SessionDeleter {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  void EndForAbuse(Http2Abuse abuse, std::uint32_t error_code, std::string_view text);
  Http2Stream* FindStream(std::int32_t id);
  static bool IsShutdownPing(const std::uint8_t* data);
  void OnControlFrame();
  void OnBeginHeadersFrame(std::int32_t id);
  void OnBeginFrame(const nghttp2_frame_hd& head);
  int OnHeader(std::int32_t id, std::string_view name, std::string_view value);
  void OnFrame(const nghttp2_frame& frame);
  void OnRequestHead(std::int32_t id, bool end_stream);
  void OnData(std::int32_t id, std::string_view bytes);
  void OnFrameSent(const nghttp2_frame& frame);
  void OnStreamClosed(std::int32_t id);
  ssize_t ReadData(std::int32_t id, std::size_t byte_size_max, std::uint32_t& flags);

  HttpListener& listener_;
  Connection& connection_;
  std::unique_ptr<nghttp2_session, SessionDeleter> session_;
  std::unordered_map<std::int32_t, std::shared_ptr<Http2Stream>, std::hash<std::int32_t>,
                     std::equal_to<std::int32_t>,
                     SmallAllocator<std::pair<const std::int32_t, std::shared_ptr<Http2Stream>>>>
      streams_;
  std::vector<std::shared_ptr<Http2Stream>> drained_;
  GatherOutput* output_ = nullptr;  // during Collect
  Http2Head head_;                  // of the header block that is being received
  std::int32_t head_stream_ = 0;
  Nanos head_begun_ = 0;
  bool in_header_block_ = false;
  bool settings_received_ = false;
  bool ended_ = false;        // for abuse
  bool goaway_sent_ = false;  // that says so
  bool shutdown_answered_ = false;
  bool large_frames_ = false;
  std::uint64_t data_frames_sent_ = 0;
  std::int32_t newest_stream_ = -1;
  // Numbers of streams that the peer has left out, oldest first: they may not come any more.
  std::vector<std::pair<std::int32_t, std::int32_t>> skipped_;
  // The DATA frame that is being received, or was last.
  std::int32_t data_stream_ = 0;
  std::size_t data_frame_byte_size_ = 0;
  std::size_t data_left_ = 0;
  const char* data_end_ = nullptr;  // of what OnData got last
  bool between_frames_ = false;     // the last byte that was received ended that frame
  TokenBucket resets_received_;
  TokenBucket resets_sent_;
  TokenBucket control_frames_;
  PingPolicy pings_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_SESSION_H_
