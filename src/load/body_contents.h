// Contents of the protocols that have no tensors: TorchServe, KServe v1, invocations, raw HTTP.
#ifndef HEADRACE_LOAD_BODY_CONTENTS_H_
#define HEADRACE_LOAD_BODY_CONTENTS_H_

#include <vector>

#include "base/result.h"
#include "load/element_bytes.h"
#include "load/target.h"
#include "load/workload.h"
#include "load/workload_spec.h"

namespace headrace::load {

// Files as ItemSpec::data says; without any, `string_data` is the body, raw requests have none, and
// for v1 the instances are random numbers of the only --shape. INVALID_ARGUMENT names the remedy.
Result<std::vector<Content>> MakeBodyContents(Protocol protocol, const ItemSpec& item,
                                              Random& random);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_BODY_CONTENTS_H_
