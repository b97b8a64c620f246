// The control groups that this process is in.
#ifndef HEADRACE_BASE_CONTROL_GROUP_H_
#define HEADRACE_BASE_CONTROL_GROUP_H_

#include <string>
#include <string_view>
#include <vector>

namespace headrace {

// Directories of this process's control group for `controller` ("" = the unified hierarchy), from
// its own up to the root of the mount; empty where there is none. In a container its own is the
// root. `system_root` stands in for "/" in tests. Reads /proc: blocks shortly.
std::vector<std::string> ControlGroupDirectories(const std::string& system_root,
                                                 std::string_view controller);

}  // namespace headrace

#endif  // HEADRACE_BASE_CONTROL_GROUP_H_
