#include "frontend/grpc_call.h"

#include <algorithm>

namespace headrace::frontend {

void GrpcReply(net::GrpcCall& call, net::GrpcMessage message) {
  call.Send(std::move(message));
  call.Finish(OkStatus());
}

std::string_view MetadataValue(const net::GrpcRequestHead& head, std::string_view name) {
  for (const auto& [key, value] : head.metadata) {
    if (key == name) {
      return value;
    }
  }
  return {};
}

Status CheckGrpcVersion(std::string_view version) {
  if (std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return OkStatus();
  }
  return InvalidArgument(
      "failed to get model version from specified version string '{}', version should be an "
      "integral value > 0",
      version.substr(0, 32));
}

Result<engine::ModelHandle> FindGrpcModel(std::string_view model, std::string_view version,
                                          const engine::RegistrySnapshot& snapshot) {
  HEADRACE_RETURN_IF_ERROR(CheckGrpcVersion(version));
  return FindModel(model, version, snapshot);
}

}  // namespace headrace::frontend
