// MAR-INF/MANIFEST.json: what an archive says of its model (contracts, TorchServe 7.1).
#ifndef HEADRACE_REPOSITORY_HANDLER_MANIFEST_H_
#define HEADRACE_REPOSITORY_HANDLER_MANIFEST_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::repository {

inline constexpr char kManifestFile[] = "MAR-INF/MANIFEST.json";
inline constexpr std::size_t kManifestByteSizeMax = std::size_t{1} << 20;

// Members that are absent are empty.
struct HandlerManifest {
  std::string model_name, model_version;
  std::string runtime;
  std::string handler;
  std::string serialized_file, model_file, config_file, requirements_file, source_vocabulary;
};

// INVALID_ARGUMENT for what is no JSON object with a member "model", or nested deeper than 32
// levels; for a name of a model that CheckModelName refuses; for a member that is no string; for a
// runtime other than Python's.
Result<HandlerManifest> ParseManifest(std::string_view json);

// That of the unpacked archive `directory`, with the files that it names checked: they lie in there
// and exist. NOT_FOUND when there is none; INVALID_ARGUMENT names the member. Blocks on the file
// system.
Result<HandlerManifest> ReadManifest(const std::string& directory);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_HANDLER_MANIFEST_H_
