// The ZIP archive that every model file of PyTorch's is.
#ifndef HEADRACE_BACKENDS_PYTORCH_ARCHIVE_H_
#define HEADRACE_BACKENDS_PYTORCH_ARCHIVE_H_

#include <map>
#include <string>

#include "common/error.h"

namespace headrace::backend {

// What an archive holds.
struct Archive {
  enum class Format {
    kTorchScript,  // torch.jit.save
    kPackage,      // torch._inductor.aoti_compile_and_package
  };
  Format format = Format::kTorchScript;
  std::string model_name;  // of a package: its only model, or "model"
  // Of a package, what it was compiled for, such as AOTI_DEVICE_KEY and AOTI_CPU_ISA.
  std::map<std::string, std::string> metadata;
  std::string source;  // of a package: the generated source of that model; empty: none is there

  // INVALID_ARG says what the file is, where it is neither of the two, and how to make one of them.
  static Error Open(const std::string& path, Archive* archive);
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_ARCHIVE_H_
