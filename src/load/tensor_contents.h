// Contents of v2 requests: steps put into batches, with what is expected of them.
#ifndef HEADRACE_LOAD_TENSOR_CONTENTS_H_
#define HEADRACE_LOAD_TENSOR_CONTENTS_H_

#include <vector>

#include "base/result.h"
#include "load/data_set.h"
#include "load/input_signature.h"
#include "load/workload.h"
#include "load/workload_spec.h"

namespace headrace::load {

// One content for each step: content k holds the steps k, k+1, ... of its stream, as perf_analyzer
// has it. Tensors of one row share its bytes. INVALID_ARGUMENT where the rows of a batch differ in
// shape.
Result<std::vector<Content>> MakeTensorContents(const DataSet& set, const Signature& signature,
                                                const ItemSpec& item);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TENSOR_CONTENTS_H_
