// Which of the server's environment variables a worker gets.
#ifndef HEADRACE_WORKER_ENVIRONMENT_H_
#define HEADRACE_WORKER_ENVIRONMENT_H_

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace headrace::worker {

// Pure. Variables that tell programs where things are and how to compute: PATH, HOME, the locale,
// PYTHONPATH, LD_LIBRARY_PATH, those of OpenMP, MKL, CUDA, PyTorch, Hugging Face's caches and the
// like. Never one whose name sounds like a secret ("TOKEN", "SECRET", "PASSWORD", "KEY", ...),
// unless `also` names it.
bool IsInheritedVariable(std::string_view name);

// Pure but for reading `environment` (as `environ`: "NAME=value", ends with null). The variables
// that IsInheritedVariable allows or `also` names.
std::map<std::string, std::string> ChosenEnvironment(const char* const* environment,
                                                     std::span<const std::string> also);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_ENVIRONMENT_H_
