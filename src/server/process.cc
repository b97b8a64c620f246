#include "server/process.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

namespace headrace::server {

void HardenProcess() {
  umask(077);
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

Status DropPrivileges(const std::string& user) {
  if (user.empty()) {
    return OkStatus();
  }
  if (!RunsAsRoot()) {
    return PermissionDenied("--user needs root to change to '{}'", user);
  }
  std::array<char, 16 * 1024> storage;
  passwd entry;
  passwd* found = nullptr;
  if (getpwnam_r(user.c_str(), &entry, storage.data(), storage.size(), &found) != 0 ||
      found == nullptr) {
    return NotFound("--user: there is no user '{}'", user);
  }
  if (initgroups(user.c_str(), found->pw_gid) != 0 || setgid(found->pw_gid) != 0 ||
      setuid(found->pw_uid) != 0) {
    return PermissionDenied("cannot become user '{}': {}", user, std::strerror(errno));
  }
  return OkStatus();
}

bool RunsAsRoot() { return geteuid() == 0; }

std::string ProgramDirectory() {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) {
    return ".";
  }
  const std::string program(path.data(), static_cast<std::size_t>(length));
  return program.substr(0, program.rfind('/'));
}

}  // namespace headrace::server
