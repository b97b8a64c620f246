#include "onnxruntime/openvino_accelerator.h"

#include <dlfcn.h>

#include <filesystem>
#include <utility>

namespace headrace::backend {
namespace {

// Never closed: models of it may outlive any order that the process's end would choose.
Error OpenLender(const std::filesystem::path& library, LendModel** lend) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return Unsupported(
        "the Execution Accelerator 'openvino' needs the openvino backend beside this one, and it "
        "cannot be loaded: {}",
        reason == nullptr ? library.string() : reason);
  }
  *lend = reinterpret_cast<LendModel*>(dlsym(handle, kLendOpenVinoModel));
  if (*lend == nullptr) {
    return Unsupported(
        "the Execution Accelerator 'openvino' needs the openvino backend of the same build; '{}' "
        "is "
        "of another",
        library.string());
  }
  return {};
}

}  // namespace

Error LoadWithOpenVino(const std::string& path, const std::string& model_directory,
                       const std::string& backend_directory, const ModelConfig& config,
                       ProviderOptions options, std::shared_ptr<AcceleratedModel>* model) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::path(backend_directory).parent_path() / "openvino";
  LendModel* lend = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(OpenLender(directory / "libtriton_openvino.so", &lend));
  if (const std::string* threads = config.FindParameter("intra_op_thread_count")) {
    options.try_emplace("INFERENCE_NUM_THREADS", *threads);
  }
  return lend({.path = path,
               .model_directory = model_directory,
               .library_directory = directory.string(),
               .config = config.WithParameters(std::move(options))},
              model);
}

}  // namespace headrace::backend
