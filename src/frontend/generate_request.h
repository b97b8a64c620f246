// The request side of the generate extension, which generate and generate_stream share (contracts,
// Triton 1.10).
#ifndef HEADRACE_FRONTEND_GENERATE_REQUEST_H_
#define HEADRACE_FRONTEND_GENERATE_REQUEST_H_

#include <optional>

#include "engine/model.h"
#include "frontend/call.h"
#include "frontend/infer_reply.h"
#include "frontend/infer_submit.h"

namespace headrace::frontend {

struct PreparedGenerate {
  engine::ModelHandle model;
  InferReplyPlan plan;
  InferSubmission submission;
};

// Finds the model and reads the body. Nothing: the call was answered with what is wrong, and that
// was counted.
std::optional<PreparedGenerate> PrepareGenerate(Call& call);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GENERATE_REQUEST_H_
