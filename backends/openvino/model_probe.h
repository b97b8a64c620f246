// Reads a model file in a process of its own first.
#ifndef HEADRACE_BACKENDS_OPENVINO_MODEL_PROBE_H_
#define HEADRACE_BACKENDS_OPENVINO_MODEL_PROBE_H_

#include <string>
#include <utility>

#include "common/error.h"

namespace headrace::backend {

// The runtime's readers of ONNX, TensorFlow and TensorFlow Lite trust what they read: of files with
// a few bits changed, about one in a thousand makes them read through a null pointer. So that such
// a file does not take the server with it, headrace_openvino_probe reads it first, as a child: it
// is the one that dies. That costs a tenth of a second and the time of the reading. IR is not
// probed: its reader withstood every file that it was given.
//
// Immutable; its calls may run in parallel.
class ModelProbe {
 public:
  // `program`: the probe's path; empty: nothing is probed.
  explicit ModelProbe(std::string program = {}) : program_(std::move(program)) {}

  // The program in the directory of the backend's library.
  static ModelProbe In(const std::string& library_directory) {
    return ModelProbe(library_directory + "/headrace_openvino_probe");
  }

  // Blocks while the file is read. INVALID_ARG with the reader's text, or what became of the probe,
  // if the file cannot be read. OK with a warning if there is no probe to run.
  Error Check(const std::string& path) const;

 private:
  std::string program_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_MODEL_PROBE_H_
