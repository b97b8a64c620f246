#include "base/control_group.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

namespace headrace {
namespace {

namespace fs = std::filesystem;

// Of one line "number:controllers:path", with the names of the version 1 hierarchies by commas.
bool Names(const std::string& controllers, std::string_view controller) {
  return controller.empty()
             ? controllers.empty()
             : ("," + controllers + ",").find(fmt::format(",{},", controller)) != std::string::npos;
}

}  // namespace

std::vector<std::string> ControlGroupDirectories(const std::string& system_root,
                                                 std::string_view controller) {
  std::string mount = system_root + "/sys/fs/cgroup";
  if (!controller.empty()) {
    mount += fmt::format("/{}", controller);
  }
  std::vector<std::string> directories;
  std::ifstream groups(system_root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos ||
        !Names(line.substr(first + 1, second - first - 1), controller)) {
      continue;
    }
    fs::path path = fs::path(line.substr(second + 1)).lexically_normal();
    if (!path.is_absolute()) {
      path = "/";
    }
    for (;; path = path.parent_path()) {
      directories.push_back(mount + path.string());
      if (!path.has_relative_path()) {
        break;
      }
    }
  }
  return directories;
}

}  // namespace headrace
