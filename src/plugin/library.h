// A backend's shared object: where it is looked for, how it is opened, what it exports.
#ifndef HEADRACE_PLUGIN_LIBRARY_H_
#define HEADRACE_PLUGIN_LIBRARY_H_

#include <memory>
#include <string>

#include "base/result.h"
#include "engine/backend.h"
#include "headrace_extensions.h"
#include "triton_abi.h"

namespace headrace::plugin {

// The functions a backend exports. All but `execute` may be null (contracts, Triton 8.6).
struct EntryPoints {
  decltype(&TRITONBACKEND_GetBackendAttribute) get_attribute = nullptr;
  decltype(&TRITONBACKEND_Initialize) initialize = nullptr;
  decltype(&TRITONBACKEND_Finalize) finalize = nullptr;
  decltype(&TRITONBACKEND_ModelInitialize) model_initialize = nullptr;
  decltype(&TRITONBACKEND_ModelFinalize) model_finalize = nullptr;
  decltype(&TRITONBACKEND_ModelInstanceInitialize) instance_initialize = nullptr;
  decltype(&TRITONBACKEND_ModelInstanceFinalize) instance_finalize = nullptr;
  decltype(&TRITONBACKEND_ModelInstanceReady) instance_ready = nullptr;
  decltype(&TRITONBACKEND_ModelInstanceExecute) execute = nullptr;
  // Of Headrace's own backends; both or none.
  HEADRACE_ModelProfileStartFunction* profile_start = nullptr;
  HEADRACE_ModelProfileStopFunction* profile_stop = nullptr;
};

struct FoundLibrary {
  std::string path;
  std::string backend;  // spec.backend, or the one that stands in for it
};

// The library that a model asks for: <model>/<version>/, <model>/, then
// <backend_directory>/<backend>/. The file is spec.runtime, or libtriton_<backend>.so. Where that
// is in none of them, a backend that reads the same files stands in: openvino for tensorflow.
// INVALID_ARGUMENT with the places searched if there is none; INVALID_ARGUMENT too if a name would
// leave its directory.
Result<FoundLibrary> FindLibrary(const engine::LoadSpec& spec,
                                 const std::string& backend_directory);

// Opens the library with its own symbol scope (RTLD_NOW | RTLD_LOCAL), so that what two backends
// bring along does not mix. It stays open for the life of the process: runtimes leave threads and
// thread-local destructors behind that would outlive its code. UNAVAILABLE with the loader's text;
// INVALID_ARGUMENT if it does not export Execute. Thread-safe.
Result<EntryPoints> OpenLibrary(const std::string& path);

// Opens the empty libtritonserver.so in `directory`, so that backends that name it find it loaded;
// their entries resolve to the program's own exports. A package that has renamed the library (such
// as libtritonserver-717102f0.so) needs an empty one of that name on the loader's path. NOT_FOUND
// with the loader's text.
Status OpenHostLibrary(const std::string& directory);
// The directory where it lies when the program runs: lib/ or ../lib/ beside the program; empty if
// it is in neither.
std::string HostLibraryDirectory();

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_LIBRARY_H_
