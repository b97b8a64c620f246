// The options of what all models share: the response cache and the rate limiter.
#ifndef HEADRACE_SERVER_OPTIONS_SERVICES_H_
#define HEADRACE_SERVER_OPTIONS_SERVICES_H_

#include <vector>

#include "server/options.h"

namespace headrace::server {

// Appends their rows to the table of options.
void AppendServiceOptions(std::vector<Option>& options);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_OPTIONS_SERVICES_H_
