#include "server/grpc_compression_level.h"

#include <array>
#include <utility>

namespace headrace::server {

std::optional<net::GrpcCompressionLevel> GrpcCompressionLevelOf(std::string_view name) {
  using Level = net::GrpcCompressionLevel;
  static constexpr std::array<std::pair<std::string_view, Level>, 4> kLevels = {
      {{"none", Level::kNone},
       {"low", Level::kLow},
       {"medium", Level::kMedium},
       {"high", Level::kHigh}}};
  for (const auto& [known, level] : kLevels) {
    if (known == name) {
      return level;
    }
  }
  return std::nullopt;
}

}  // namespace headrace::server
