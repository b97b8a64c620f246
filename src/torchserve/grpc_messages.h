// The one place through which this folder's .cc files see protobuf and the messages of TorchServe's
// gRPC services; see repository/protobuf_messages.h for what it does about the thread sanitizer.
#ifndef HEADRACE_TORCHSERVE_GRPC_MESSAGES_H_
#define HEADRACE_TORCHSERVE_GRPC_MESSAGES_H_

#include "repository/protobuf_messages.h"

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include "torchserve/google_rpc_status.pb.h"
#include "torchserve/grpc_inference.pb.h"
#include "torchserve/grpc_management.pb.h"
#include "torchserve/grpc_open_inference.pb.h"
#pragma pop_macro("__SANITIZE_THREAD__")

#endif  // HEADRACE_TORCHSERVE_GRPC_MESSAGES_H_
