// `--golden-record`: a server's answers as the file that `--golden` reads.
#ifndef HEADRACE_LOAD_GOLDEN_RECORD_H_
#define HEADRACE_LOAD_GOLDEN_RECORD_H_

#include <string>

#include "base/result.h"
#include "load/workload.h"

namespace headrace::load {

// Has the answers to all contents of `workload` recorded from now on. `has_tensors`: as the
// protocol has. INVALID_ARGUMENT, with the remedy: several items, sequences (their answers depend
// on what came before), or more than one inference in a request.
Status RecordAnswers(Workload& workload, bool has_tensors);

// What was recorded. With tensors: JSON with "validation_data", one entry for each content in their
// order, every output as {"b64", "shape"}, to the last bit; `batched`: without the batch dimension.
// Else the one body that all answers had; INVALID_ARGUMENT where they differ, for one body is all
// that such a file holds. UNAVAILABLE: an answer is missing, by its number.
Result<std::string> GoldenFileText(const Workload& workload, bool has_tensors, bool batched);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GOLDEN_RECORD_H_
