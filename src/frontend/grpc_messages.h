// The one place through which this folder's .cc files see protobuf and the messages of the gRPC
// services; see repository/protobuf_messages.h for what it does about the thread sanitizer.
#ifndef HEADRACE_FRONTEND_GRPC_MESSAGES_H_
#define HEADRACE_FRONTEND_GRPC_MESSAGES_H_

#include "repository/protobuf_messages.h"

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include <google/protobuf/descriptor.pb.h>

#include "frontend/grpc_health.pb.h"
#include "frontend/grpc_reflection.pb.h"
#include "frontend/grpc_service.pb.h"
#pragma pop_macro("__SANITIZE_THREAD__")

#endif  // HEADRACE_FRONTEND_GRPC_MESSAGES_H_
