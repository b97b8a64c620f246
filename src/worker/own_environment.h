// A Python environment of one model's own, with what its requirements name (contracts, TorchServe
// 8.8).
#ifndef HEADRACE_WORKER_OWN_ENVIRONMENT_H_
#define HEADRACE_WORKER_OWN_ENVIRONMENT_H_

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "worker/interpreter.h"
#include "worker/process.h"

namespace headrace::worker {

struct OwnEnvironmentOptions {
  std::string label;              // in the log and in failures: "model 'm' version 1"
  Interpreter base;               // that the environment is made from, and whose packages it sees
  std::string requirements_file;  // absolute; empty: nothing is installed
  // Of the processes that make it: pip's own variables and the proxies' among them.
  std::map<std::string, std::string> environment;
  Confinement confinement;
  Nanos timeout = 600 * kSecond;  // for all of it
  std::string temporary_directory = Interpreters::TemporaryDirectory();
};

// Installing runs code of others with the server's rights, as importing a handler does in a worker:
// so it is off unless an operator asks for it, and it happens when the first worker of a model
// starts.
//
// What is made: a directory of this user's alone, `python -m venv --system-site-packages` in it, a
// .pth file with the packages of the base where that is a virtual environment itself, and the
// requirements, by the pip that the base has. All workers of the model share it; it goes with this
// object. Thread-safe.
class OwnEnvironment {
 public:
  explicit OwnEnvironment(OwnEnvironmentOptions options) : options_(std::move(options)) {}
  ~OwnEnvironment();
  OwnEnvironment(const OwnEnvironment&) = delete;
  OwnEnvironment& operator=(const OwnEnvironment&) = delete;

  // Makes it at the first call, and after a failure again. Blocks meanwhile, also others that call
  // it. UNAVAILABLE says which step failed and what it said at its end.
  Result<Interpreter> Get();

 private:
  Result<Interpreter> Make();
  Status MakeDirectory();
  Status Run(std::string_view step, std::vector<std::string> arguments, Nanos end) const;

  const OwnEnvironmentOptions options_;
  std::mutex mutex_;  // guards what follows; held while it is made
  std::string directory_;
  std::optional<Interpreter> made_;
};

// The variables of `environment` that pip and its connections go by: PIP_*, and the proxies'.
std::vector<std::string> InstallerVariables(const char* const* environment);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_OWN_ENVIRONMENT_H_
