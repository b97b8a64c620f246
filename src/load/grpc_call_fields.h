// The head of a gRPC call, as nghttp2 takes it.
#ifndef HEADRACE_LOAD_GRPC_CALL_FIELDS_H_
#define HEADRACE_LOAD_GRPC_CALL_FIELDS_H_

#include <nghttp2/nghttp2.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "load/target.h"

namespace headrace::load {

// Immutable.
class GrpcCallFields {
 public:
  // `path`: "/inference.GRPCInferenceService/ModelInfer". With the target's headers as metadata.
  // `timeout`: kNever = none is named.
  GrpcCallFields(const TargetSpec& target, std::string_view path, Nanos timeout);
  GrpcCallFields(GrpcCallFields&&) = default;
  std::span<const nghttp2_nv> view() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<nghttp2_nv> fields_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_CALL_FIELDS_H_
