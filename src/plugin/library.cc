#include "plugin/library.h"

#include <dlfcn.h>

#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace::plugin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHostLibrary = "libtritonserver.so";

// Backends that read the files of another, which may not be installed.
struct StandIn {
  std::string_view backend;
  std::string_view served_by;
};
constexpr std::array<StandIn, 1> kStandIns = {{{"tensorflow", "openvino"}}};

std::string LibraryName(std::string_view backend) {
  return "libtriton_" + std::string(backend) + ".so";
}

// Nothing if the backend has no stand-in, or that is not installed either.
std::optional<FoundLibrary> FindStandIn(const std::string& backend,
                                        const std::string& backend_directory) {
  for (const StandIn& candidate : kStandIns) {
    const fs::path path =
        fs::path(backend_directory) / candidate.served_by / LibraryName(candidate.served_by);
    std::error_code ignored;
    if (candidate.backend == backend && fs::is_regular_file(path, ignored)) {
      return FoundLibrary{path.string(), std::string(candidate.served_by)};
    }
  }
  return std::nullopt;
}

// True if `name` names a file in its directory and nothing else.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

template <typename Function>
void Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

Result<FoundLibrary> FindLibrary(const engine::LoadSpec& spec,
                                 const std::string& backend_directory) {
  const std::string file = spec.runtime.empty() ? LibraryName(spec.backend) : spec.runtime;
  if (!IsPlainName(file) || !IsPlainName(spec.backend)) {
    return InvalidArgument("model '{}': backend '{}' and runtime '{}' must be plain names",
                           spec.model_name, spec.backend, spec.runtime);
  }
  const fs::path model(spec.model_directory);
  const std::vector<fs::path> places = {model / std::to_string(spec.version), model,
                                        fs::path(backend_directory) / spec.backend};
  std::string searched;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (const fs::path path = place / file; fs::is_regular_file(path, ignored)) {
      return FoundLibrary{path.string(), spec.backend};
    }
    searched += (searched.empty() ? "" : ", ") + place.string();
  }
  if (spec.runtime.empty()) {
    if (auto stand_in = FindStandIn(spec.backend, backend_directory)) {
      return std::move(*stand_in);
    }
    return InvalidArgument(
        "unable to find backend library for backend '{}', try specifying runtime on the model "
        "configuration; searched: {}",
        spec.backend, searched);
  }
  return InvalidArgument("unable to find '{}' for model '{}', searched: {}", file, spec.model_name,
                         searched);
}

Result<EntryPoints> OpenLibrary(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return Unavailable("unable to load shared library: {}", reason == nullptr ? path : reason);
  }
  EntryPoints entries;
  Find(library, "TRITONBACKEND_GetBackendAttribute", &entries.get_attribute);
  Find(library, "TRITONBACKEND_Initialize", &entries.initialize);
  Find(library, "TRITONBACKEND_Finalize", &entries.finalize);
  Find(library, "TRITONBACKEND_ModelInitialize", &entries.model_initialize);
  Find(library, "TRITONBACKEND_ModelFinalize", &entries.model_finalize);
  Find(library, "TRITONBACKEND_ModelInstanceInitialize", &entries.instance_initialize);
  Find(library, "TRITONBACKEND_ModelInstanceFinalize", &entries.instance_finalize);
  Find(library, "TRITONBACKEND_ModelInstanceReady", &entries.instance_ready);
  Find(library, "TRITONBACKEND_ModelInstanceExecute", &entries.execute);
  Find(library, HEADRACE_MODEL_PROFILE_START, &entries.profile_start);
  Find(library, HEADRACE_MODEL_PROFILE_STOP, &entries.profile_stop);
  if (entries.execute == nullptr) {
    return InvalidArgument(
        "unable to find required entrypoint 'TRITONBACKEND_ModelInstanceExecute' in '{}'", path);
  }
  return entries;
}

Status OpenHostLibrary(const std::string& directory) {
  const fs::path path = fs::path(directory) / kHostLibrary;
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* reason = dlerror();
    return NotFound("{}", reason == nullptr ? path.c_str() : reason);
  }
  return OkStatus();
}

std::string HostLibraryDirectory() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"lib", "../lib"}) {
    if (!error && fs::exists(program / place / kHostLibrary, error)) {
      return (program / place).string();
    }
  }
  return "";
}

}  // namespace headrace::plugin
