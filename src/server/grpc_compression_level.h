// Names of the levels at which answers are compressed.
#ifndef HEADRACE_SERVER_GRPC_COMPRESSION_LEVEL_H_
#define HEADRACE_SERVER_GRPC_COMPRESSION_LEVEL_H_

#include <optional>
#include <string_view>

#include "net/grpc.h"

namespace headrace::server {

// "none", "low", "medium" or "high"; nothing for any other text.
std::optional<net::GrpcCompressionLevel> GrpcCompressionLevelOf(std::string_view name);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_GRPC_COMPRESSION_LEVEL_H_
