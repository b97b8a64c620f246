// Why a model does not serve, as its server's index says it.
#ifndef HEADRACE_LOAD_LOAD_REASON_H_
#define HEADRACE_LOAD_LOAD_REASON_H_

#include <string>

#include "base/result.h"
#include "load/server_control.h"

namespace headrace::load {

// `failure` of a question about a model ("" = every version), with the reasons that `control`'s
// index has for its versions behind it: servers answer "not at ready state", and why it did not
// load stands elsewhere. As it is where the index has none, or cannot be had.
Status WithLoadReason(Status failure, ServerControl& control, const std::string& model,
                      const std::string& version);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_LOAD_REASON_H_
