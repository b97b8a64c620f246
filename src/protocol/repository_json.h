// Reads the JSON bodies of the model repository endpoints (contracts, Triton 1.11).
//
// An empty body stands for an empty object. Members that are not known are checked and passed over
// at the top, as Triton does, but refused among the parameters. Bodies must be followed by
// JsonCursor::kPadding readable bytes, as BlockPool's are. Errors: INVALID_ARGUMENT naming the
// place, RESOURCE_EXHAUSTED above the limits. The functions allocate a parser of their own: these
// endpoints are rare.
#ifndef HEADRACE_PROTOCOL_REPOSITORY_JSON_H_
#define HEADRACE_PROTOCOL_REPOSITORY_JSON_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::protocol {

// `{"ready": bool}?`
struct RepositoryIndexRequest {
  bool ready_only = false;
};
Result<RepositoryIndexRequest> ParseRepositoryIndexRequest(std::string_view body);

struct ModelFileOverride {
  std::string path;  // relative to the model's directory, as the client wrote it: not checked here
  std::string content;
};

struct ModelLoadLimits {
  std::size_t body_byte_size_max = std::size_t{64} << 20;
  std::size_t config_byte_size_max = std::size_t{4} << 20;
  std::size_t file_count_max = 1024;
};

// `{"parameters": {"config": "<ModelConfig as JSON text>", "file:<path>": "<base64>"}}?`. Files
// without a config, an empty path, and other parameters are refused.
struct ModelLoadRequest {
  std::optional<std::string> config;
  std::vector<ModelFileOverride> files;
};
Result<ModelLoadRequest> ParseModelLoadRequest(std::string_view body,
                                               const ModelLoadLimits& limits = {});

// `{"parameters": {"unload_dependents": bool}}?`
struct ModelUnloadRequest {
  bool unload_dependents = false;
};
Result<ModelUnloadRequest> ParseModelUnloadRequest(std::string_view body);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_REPOSITORY_JSON_H_
