// The OpenAPI 3.0.1 documents that describe the APIs (contracts, TorchServe 1.11). Pure.
#ifndef HEADRACE_TORCHSERVE_OPENAPI_H_
#define HEADRACE_TORCHSERVE_OPENAPI_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::torchserve {

// Of a listener that is these surfaces (an or of Surface's values); `version` is the server's.
std::string DescribeListener(std::uint8_t surfaces, bool metrics, std::string_view version);
// Of the requests that one model takes.
std::string DescribeModel(std::string_view model);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_OPENAPI_H_
