// Writes one response whose length is not known to a socket, as its pieces come and as the peer
// takes them.
#ifndef HEADRACE_NET_STREAMED_OUTPUT_H_
#define HEADRACE_NET_STREAMED_OUTPUT_H_

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "net/byte_stream.h"
#include "net/gather_output.h"
#include "tensor/buffer.h"

namespace headrace::net {

enum class StreamCoding : std::uint8_t {
  kChunked,     // HTTP/1.1
  kUntilClose,  // HTTP/1.0
  kHeadOnly     // an answer to HEAD: pieces are dropped
};

// Holds what the socket has not taken; how much that may be is the sender's to say. Not
// thread-safe.
class StreamedOutput {
 public:
  StreamedOutput(std::string head, StreamCoding coding) : coding_(coding), head_(std::move(head)) {}

  // Queues. An empty piece would end a chunked body: it is left out.
  void Append(Buffer piece);
  void End() { ended_ = true; }
  bool ended() const { return ended_; }

  // Asks the peer whether it still is there, when nothing is under way: queues one byte that a
  // chunked body may have at this place, the leading zero of the next chunk's size. False when
  // there is no such byte, or it is out already.
  bool Probe();

  // Writes as much as `stream` takes of what is queued. kDone: all of it is out.
  GatherOutput::Progress Write(ByteStream& stream);
  std::uint64_t unsent_byte_size() const { return queued_byte_size_ + output_.byte_size(); }

 private:
  void Fill();

  const StreamCoding coding_;
  bool ended_ = false;
  bool end_written_ = false;
  bool probed_ = false;        // the zero in front of the next chunk's size is queued or out
  bool probe_queued_ = false;  // and not yet in `output_`
  std::string head_;           // until it is in `output_`
  std::deque<Buffer> pieces_;
  std::uint64_t queued_byte_size_ = 0;  // of pieces_
  GatherOutput output_;  // filled only when it is empty, so that it lets go of what is out
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_STREAMED_OUTPUT_H_
