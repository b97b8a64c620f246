// The release of PyTorch that this is built with.
#ifndef HEADRACE_BACKENDS_PYTORCH_TORCH_VERSION_H_
#define HEADRACE_BACKENDS_PYTORCH_TORCH_VERSION_H_

#include <torch/version.h>

#define HEADRACE_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) ||           \
   (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#endif  // HEADRACE_BACKENDS_PYTORCH_TORCH_VERSION_H_
