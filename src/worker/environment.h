// Which of the server's environment variables a worker gets.
#ifndef HEADRACE_WORKER_ENVIRONMENT_H_
#define HEADRACE_WORKER_ENVIRONMENT_H_

#include <map>
#include <optional>
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

// Where the shell would find program `name`: `name` itself if it has a slash, else the first
// executable file of that name in `path` (as PATH). Nothing if there is none. Looks at the file
// system.
std::optional<std::string> FindProgram(const std::string& name, std::string_view path);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_ENVIRONMENT_H_
