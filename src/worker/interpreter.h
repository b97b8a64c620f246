// Which Python runs a model.
//
// In this order (contracts, Triton 9.5): the model's parameter EXECUTION_ENV_PATH, an environment
// that comes as a folder or as an archive that conda-pack made; the model's parameter
// `python_interpreter`, a program or the folder of a virtual environment; the interpreter of the
// python backend's configuration.
#ifndef HEADRACE_WORKER_INTERPRETER_H_
#define HEADRACE_WORKER_INTERPRETER_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "worker/unpack.h"

namespace headrace::worker {

struct InterpreterRequest {
  std::string execution_environment{};  // parameter EXECUTION_ENV_PATH; empty: none
  std::string model_interpreter{};      // parameter python_interpreter; empty: none
  std::string default_interpreter = "python3";
  // What `$$TRITON_MODEL_DIRECTORY/` at the beginning of the two parameters stands for, and what
  // other relative paths count from: the model's folder.
  std::string model_directory{};
  std::string path{};  // PATH, where a name without a slash is looked for
};

struct Interpreter {
  std::string program;
  // Besides what the worker gets anyway: PATH with the environment's programs first, VIRTUAL_ENV or
  // CONDA_PREFIX.
  std::map<std::string, std::string> environment;
  // Holds the unpacked archive: the files are there as long as somebody has it. May be null.
  std::shared_ptr<const void> files;
};

// Thread-safe. Unpacks each archive once: models that name archives of one content share the files,
// in a folder of this user's alone, below `temporary_directory`. The files go with the last
// Interpreter that has them.
class Interpreters {
 public:
  explicit Interpreters(std::string temporary_directory = TemporaryDirectory(),
                        UnpackLimits limits = {})
      : temporary_directory_(std::move(temporary_directory)), limits_(limits) {}

  // Blocks: an archive is read, and unpacked unless that was done. INVALID_ARGUMENT names the
  // parameter, the path and what is wrong with it.
  Result<Interpreter> Find(const InterpreterRequest& request);

  // $TMPDIR, or /tmp.
  static std::string TemporaryDirectory();

 private:
  class Unpacked;
  Result<std::shared_ptr<const Unpacked>> FilesOf(const std::string& archive);

  const std::string temporary_directory_;
  const UnpackLimits limits_;
  std::mutex mutex_;  // guards unpacked_; held while an archive is unpacked, so that it is once
  std::map<std::string, std::weak_ptr<const Unpacked>> unpacked_;  // by content
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_INTERPRETER_H_
