// What PyTorch keeps once for a process or for a thread.
#ifndef HEADRACE_BACKENDS_PYTORCH_PROCESS_SETTINGS_H_
#define HEADRACE_BACKENDS_PYTORCH_PROCESS_SETTINGS_H_

#include <functional>

#include "common/error.h"
#include "pytorch/settings.h"

namespace headrace::backend {

// Applies what the settings say of the process. Thread-safe. A second count of inter-op threads is
// only warned about: that pool is made once.
void ApplyToProcess(const PyTorchSettings& settings);

// Makes operations that the calling thread starts use so many threads, itself among them. PyTorch
// keeps this number per thread, so that each instance's thread has its own; cheap when it is set
// already.
void UseThreads(int count);

// Runs `body` on a thread that ends with it. OpenMP keeps a team for every thread that ever started
// one, and as soon as there are more of them than cores, none waits actively any more: a loader's
// idle team would cost every instance a tenth of its speed. Blocks.
Error RunApart(const std::function<Error()>& body);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_PROCESS_SETTINGS_H_
