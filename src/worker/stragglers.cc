#include "worker/stragglers.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>

#include "base/checked_math.h"
#include "base/unique_fd.h"

namespace headrace::worker {
namespace {

constexpr int kRoundsMax = 8;
constexpr std::size_t kEnvironmentByteSizeMax = 1 << 20;

std::string ReadEnvironment(int process_folder) {
  std::string text;
  const UniqueFd file(openat(process_folder, "environ", O_RDONLY | O_CLOEXEC));
  while (file.valid() && text.size() < kEnvironmentByteSizeMax) {
    char block[16 * 1024];
    const ssize_t count = read(file.get(), block, sizeof block);
    if (count <= 0) {
      break;
    }
    text.append(block, static_cast<std::size_t>(count));
  }
  return text;
}

bool HasVariable(std::string_view environment, std::string_view variable) {
  while (!environment.empty()) {
    const std::size_t end = environment.find('\0');
    if (environment.substr(0, end) == variable) {
      return true;
    }
    environment.remove_prefix(end == environment.npos ? environment.size() : end + 1);
  }
  return false;
}

bool KillIfMarked(pid_t pid, std::string_view mark) {
  // Held first: the number cannot become another's meanwhile.
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const UniqueFd folder(
      open(fmt::format("/proc/{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status;
  if (!process.valid() || !folder.valid() || fstat(folder.get(), &status) != 0 ||
      status.st_uid != geteuid() || !HasVariable(ReadEnvironment(folder.get()), mark)) {
    return false;
  }
  return syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0;
}

int KillMarkedOnce(std::string_view mark) {
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(opendir("/proc"), &closedir);
  int killed = 0;
  while (const dirent* entry = processes != nullptr ? readdir(processes.get()) : nullptr) {
    const std::optional<std::uint32_t> pid = ParseDecimal<std::uint32_t>(entry->d_name);
    if (pid && static_cast<pid_t>(*pid) != getpid()) {
      killed += KillIfMarked(static_cast<pid_t>(*pid), mark) ? 1 : 0;
    }
  }
  return killed;
}

}  // namespace

int KillMarked(std::string_view mark) {
  int total = 0;
  for (int round = 0; round < kRoundsMax; ++round) {
    const int killed = KillMarkedOnce(mark);
    total += killed;
    if (killed == 0) {
      break;
    }
  }
  return total;
}

}  // namespace headrace::worker
