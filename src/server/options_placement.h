// The options that say where instances run.
#ifndef HEADRACE_SERVER_OPTIONS_PLACEMENT_H_
#define HEADRACE_SERVER_OPTIONS_PLACEMENT_H_

#include <vector>

#include "server/options.h"

namespace headrace::server {

void AppendPlacementOptions(std::vector<Option>& options);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_OPTIONS_PLACEMENT_H_
