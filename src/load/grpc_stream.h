// One ModelStreamInfer call: requests out one after another, answers matched by their ids.
#ifndef HEADRACE_LOAD_GRPC_STREAM_H_
#define HEADRACE_LOAD_GRPC_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "load/grpc_frames.h"
#include "load/grpc_outcome.h"
#include "load/grpc_request.h"
#include "load/h2_connection.h"
#include "load/stream_answer.h"
#include "tensor/block_pool.h"

namespace headrace::load {

// Begins with the first request and, when it has ended, with the next one again. What is out when
// it ends, ends with it. A response without a known id goes to the oldest request that is out, if it
// has none at all, and nowhere if it has another (of a request that timed out). One thread.
class GrpcStream final : public H2Call {
 public:
  // All outlive it.
  GrpcStream(GrpcRequestOwner& owner, H2Connection& connection)
      : owner_(owner), connection_(connection) {}

  // Whether a request can go now.
  bool CanTake() const { return (on_stream() && !closing_) || connection_.CanSubmit(); }
  // False: it cannot.
  bool Take(GrpcRequest& request);
  // Its end has been told: its answer is not waited for any more.
  void GiveUp(GrpcRequest& request);
  // No request follows.
  void Finish();

 private:
  void OnHeader(std::string_view name, std::string_view value) override {
    fields_.Take(name, value);
  }
  void OnData(std::string_view bytes) override;
  void OnClosed(std::uint32_t error_code) override;
  std::size_t ReadyByteSize(bool& last) override {
    last = closing_;
    return queued_byte_size_;
  }
  void AppendBody(net::GatherOutput& out, std::size_t byte_size) override;

  void OnAnswer(const GrpcFrame& message);
  GrpcRequest* Find(std::string_view id) const;
  void Leave(GrpcRequest& request);
  void End(GrpcRequest& request, Nanos when, GrpcEnding ending);

  GrpcRequestOwner& owner_;
  H2Connection& connection_;
  std::deque<GrpcRequest*> queue_;  // with bytes to send, the first perhaps in part
  std::size_t queued_byte_size_ = 0;
  std::vector<GrpcRequest*> out_;  // that wait for their answers
  GrpcAnswerFields fields_;
  GrpcFrames frames_;
  bool closing_ = false;
  BlockPool pool_;  // of compressed answers
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_STREAM_H_
