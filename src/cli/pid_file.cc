#include "cli/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "base/checked_math.h"

namespace headrace::cli {
namespace {

// 0: there is none in it.
pid_t ProcessIn(int fd) {
  std::array<char, 32> text{};
  const ssize_t byte_size = ::pread(fd, text.data(), text.size(), 0);
  std::string_view digits(text.data(), byte_size < 0 ? 0 : static_cast<std::size_t>(byte_size));
  digits = TrimBlanks(digits.substr(0, digits.find('\n')));
  return ParseDecimal<pid_t>(digits).value_or(0);
}

bool IsTorchServeOfJava(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", process), std::ios::binary);
  const std::string command{std::istreambuf_iterator<char>(file), {}};
  return command.find("org.pytorch.serve.ModelServer") != std::string::npos;
}

}  // namespace

Result<PidFile::Taken> PidFile::Take(const std::string& path) {
  // Everybody may write to the directory of temporary files: no link is followed, and a file that
  // another user has put there is not taken for ours.
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) {
    return PermissionDenied("cannot open the pid file {}: {}; TMPDIR says where it is", path,
                            std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid()) {
    return PermissionDenied("the pid file {} belongs to another user; TMPDIR says where it is",
                            path);
  }
  const pid_t process = ProcessIn(file.get());
  const bool locked = ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
  Taken taken{.file = PidFile(path, std::move(file))};
  if (locked || (process > 0 && IsTorchServeOfJava(process))) {
    // Without a number yet: it is just being started.
    taken.running = process > 0 ? process : -1;
  } else {
    taken.orphaned = process > 0;
  }
  return taken;
}

Status PidFile::Write(pid_t process) const {
  const std::string text = std::to_string(process);
  if (::ftruncate(file_.get(), 0) != 0 ||
      ::pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return Unavailable("cannot write the pid file {}: {}", path_, std::strerror(errno));
  }
  return OkStatus();
}

void PidFile::Remove() const { ::unlink(path_.c_str()); }

}  // namespace headrace::cli
