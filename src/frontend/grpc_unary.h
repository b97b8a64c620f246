// From a function of messages to a handler of a unary call.
#ifndef HEADRACE_FRONTEND_GRPC_UNARY_H_
#define HEADRACE_FRONTEND_GRPC_UNARY_H_

#include <string>
#include <utility>

#include "base/result.h"
#include "frontend/grpc_call.h"
#include "frontend/grpc_messages.h"

namespace headrace::frontend {

// INVALID_ARGUMENT for bytes that are no such message.
Status ParseGrpcMessage(const net::GrpcMessage& bytes, google::protobuf::Message& message);
net::GrpcMessage EncodeGrpcMessage(const google::protobuf::Message& message);

// Answers with what `Handle` makes of the request, at once.
template <typename Request, typename Response,
          Result<Response> (*Handle)(GrpcContext&, const Request&)>
void ServeUnary(GrpcContext& context) {
  Request request;
  if (Status status = ParseGrpcMessage(context.message, request); !status.ok()) {
    context.call->Finish(std::move(status));
    return;
  }
  Result<Response> response = Handle(context, request);
  if (response.ok()) {
    GrpcReply(*context.call, EncodeGrpcMessage(*response));
  } else {
    context.call->Finish(response.status());
  }
}

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_UNARY_H_
