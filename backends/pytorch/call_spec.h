// How a compiled package says what its tensors were in the Python call.
#ifndef HEADRACE_BACKENDS_PYTORCH_CALL_SPEC_H_
#define HEADRACE_BACKENDS_PYTORCH_CALL_SPEC_H_

#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"

namespace headrace::backend {

// `spec`: PyTorch's JSON text of a tree of tuples, lists and dictionaries. `paths` becomes one path
// for each leaf, in the order of the package's tensors. Of inputs, a tree of (args, kwargs):
// "ARGS[0]", "ARGS[1][key]", "KWARGS[mask]". INVALID_ARG if it does not read.
Error InputPaths(std::string_view spec, std::vector<std::string>* paths);
// Of outputs: "RESULT[0]", "RESULT[key]", "RESULT[0][1]"; a single tensor is "RESULT[0]".
Error OutputPaths(std::string_view spec, std::vector<std::string>* paths);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_CALL_SPEC_H_
