#include "repository/override_rules.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/ascii.h"
#include "base/log.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

constexpr std::string_view kRemedy =
    "is refused in a load request, because it could run code; start the server with "
    "--allow-code-override to allow it";

// "x.so", "x.so.1", "x.py", "x.pyc", ...
bool IsCode(std::string_view file_name) {
  // Archives of models hold Python code.
  constexpr std::array<std::string_view, 9> kSuffixes = {".so",  ".py",  ".pyc", ".pyo",   ".pyd",
                                                         ".pth", ".mar", ".tgz", ".tar.gz"};
  const std::string name = LowerCase(file_name);
  return name.find(".so.") != std::string::npos ||
         std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [&](std::string_view suffix) { return name.ends_with(suffix); });
}

Status CheckPart(std::string_view part, const std::string& shown) {
  if (part.empty() || part == "." || part == "..") {
    return InvalidArgument("'file:{}': the path must lie inside the model's directory", shown);
  }
  if (part.size() > kFileNameByteSizeMax) {
    return InvalidArgument("'file:{}': a file name has at most {} bytes", shown,
                           kFileNameByteSizeMax);
  }
  return OkStatus();
}

Status CheckPath(std::string_view path, bool allow_code) {
  const std::string shown = EscapeForLog(path, 128);
  if (path.size() > kOverridePathByteSizeMax) {
    return InvalidArgument("'file:{}': a path has at most {} bytes", shown,
                           kOverridePathByteSizeMax);
  }
  if (std::any_of(path.begin(), path.end(),
                  [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; })) {
    return InvalidArgument("'file:{}': control characters and backslashes are not allowed", shown);
  }
  std::string_view rest = path;
  for (std::size_t depth = 1;; ++depth) {
    const std::size_t slash = rest.find('/');
    HEADRACE_RETURN_IF_ERROR(CheckPart(rest.substr(0, slash), shown));
    if (slash == std::string_view::npos) {
      break;
    }
    if (depth == kOverridePathDepthMax) {
      return InvalidArgument("'file:{}': at most {} levels are allowed", shown,
                             kOverridePathDepthMax);
    }
    rest.remove_prefix(slash + 1);
  }
  if (!allow_code && IsCode(rest)) {
    return PermissionDenied("'file:{}' {}", shown, kRemedy);
  }
  return OkStatus();
}

}  // namespace

Status CheckOverrideFiles(const OverrideFiles& files, bool allow_code) {
  for (const auto& [path, content] : files) {
    HEADRACE_RETURN_IF_ERROR(CheckPath(path, allow_code));
    const std::string as_directory = path + "/";
    const auto below = files.lower_bound(as_directory);
    if (below != files.end() && below->first.starts_with(as_directory)) {
      return InvalidArgument("'file:{}' is also a directory of 'file:{}'", EscapeForLog(path, 128),
                             EscapeForLog(below->first, 128));
    }
  }
  return OkStatus();
}

Status CheckOverrideConfig(const inference::ModelConfig& config) {
  if (config.backend() == "python" || config.backend() == "handler") {
    return PermissionDenied("backend '{}' {}", config.backend(), kRemedy);
  }
  if (!config.runtime().empty()) {
    return PermissionDenied("field 'runtime' {}", kRemedy);
  }
  if (!config.model_operations().op_library_filename().empty()) {
    return PermissionDenied("field 'model_operations.op_library_filename' {}", kRemedy);
  }
  return OkStatus();
}

}  // namespace headrace::repository
