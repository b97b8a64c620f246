// The reasons that the runtime gives, fit for a log and a client.
#ifndef HEADRACE_BACKENDS_OPENVINO_FAILURE_TEXT_H_
#define HEADRACE_BACKENDS_OPENVINO_FAILURE_TEXT_H_

#include <string>
#include <string_view>

namespace headrace::backend {

// On one line, without the places in the runtime's source that it went through.
std::string FailureText(std::string_view what);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_FAILURE_TEXT_H_
