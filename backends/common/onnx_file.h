// What can be told of an ONNX file without a runtime: that its structure is whole, and which other
// files hold weights of it.
//
// Runtimes open those files by the paths that the model says. A model that is not to be trusted may
// name any file of the machine, or a place past a file's end, so that they are checked before a
// runtime sees them (CVE-2022-25882 and its successors).
#ifndef HEADRACE_BACKENDS_COMMON_ONNX_FILE_H_
#define HEADRACE_BACKENDS_COMMON_ONNX_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/error.h"

namespace headrace::backend {

struct ExternalFile {
  std::string location;  // as the model writes it: a path from the model file's directory
  std::string path;      // canonical
  std::uint64_t byte_size = 0;
};

// Walks the protobuf messages of the file from end to end; weights are skipped, not read. Each file
// of external data is listed once. INVALID_ARG, naming the file and the tensor:
//   - the file is empty, ends early, is no protobuf, holds no graph, or is nested too deeply
//   - external data has no location, or one that is absolute, has "..", is a symbolic link, is no
//     regular file, or is outside of `model_directory` once links on the way are followed
//   - its offset or length is no number, or reaches past the end of the file.
// A file in the runtime's own format (.ort) has no external data and is left alone. Blocks.
Error InspectOnnxFile(const std::string& path, const std::string& model_directory,
                      std::vector<ExternalFile>* external_files);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_ONNX_FILE_H_
