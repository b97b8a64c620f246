// Where the steps of a v2 item come from: generators, files, directories.
#ifndef HEADRACE_LOAD_DATA_SOURCE_H_
#define HEADRACE_LOAD_DATA_SOURCE_H_

#include <string>
#include <vector>

#include "base/result.h"
#include "load/data_set.h"
#include "load/element_bytes.h"
#include "load/input_signature.h"
#include "load/workload_spec.h"

namespace headrace::load {

// All steps of `item`: its `data` one source after the other, then what `input_data` says of single
// inputs. Draws from `random`. INVALID_ARGUMENT names file, input and remedy.
Result<DataSet> ReadSteps(const ItemSpec& item, const Signature& signature, Random& random);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_DATA_SOURCE_H_
