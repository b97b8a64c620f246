// What the answers of all protocols to an inference request have in common.
#ifndef HEADRACE_FRONTEND_INFER_REPLY_H_
#define HEADRACE_FRONTEND_INFER_REPLY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/model.h"
#include "engine/request_trace.h"
#include "engine/response_sink.h"
#include "frontend/shared_memory_regions.h"
#include "protocol/v2_message.h"

namespace headrace::frontend {

// What of a request is needed again for its answer.
struct InferReplyPlan {
  std::string id;
  std::vector<protocol::V2RequestedOutput> outputs;  // empty = all
  bool binary_output_default = false;
  std::shared_ptr<engine::RequestTrace> trace = {};  // null: not traced
};

// A response as a message: the outputs that were asked for, classified where that was asked for.
// Those that go to shared memory are written there. Points into the arguments, and into
// `classified`, which holds the tensors that replace scores.
struct ShapedReply {
  protocol::V2InferResponse message;
  std::vector<Tensor> classified;
};
Result<ShapedReply> ShapeReply(const engine::Model& model, const InferReplyPlan& plan,
                               const engine::InferResponse& response,
                               const SharedMemoryRegions& shared_memory);

// The parameter of a stream's responses that says whether the request's last one is there.
inline constexpr std::string_view kFinalResponseParameter = "triton_final_response";
// About what a response holds until it is sent: what streams count against their limits.
std::uint64_t ByteSizeOf(const engine::InferResponse& response);

// As clients are told of a failure that is the server's: memory that ran out inside of it may come
// again (reliability D22), so RESOURCE_EXHAUSTED becomes UNAVAILABLE.
Status FailureForClient(const Status& status);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_INFER_REPLY_H_
