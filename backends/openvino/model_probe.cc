#include "openvino/model_probe.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/log.h"

extern char** environ;

namespace headrace::backend {
namespace {

constexpr std::size_t kTextByteSizeMax = 4096;

std::string TextOf(int error) { return std::generic_category().message(error); }

bool IsIr(const std::string& path) { return path.ends_with(".xml"); }

// Descriptors of a pipe, closed at the end of the scope.
struct Pipe {
  std::array<int, 2> ends = {-1, -1};
  ~Pipe() {
    CloseEnd(0);
    CloseEnd(1);
  }
  void CloseEnd(int i) {
    if (ends[i] >= 0) {
      close(std::exchange(ends[i], -1));
    }
  }
};

// Starts the probe with its standard output in the pipe and nothing else of ours.
int Start(const std::string& program, const std::string& path, const Pipe& pipe, pid_t* child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // The server blocks signals in most threads; the child must not inherit that.
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::array<char*, 3> arguments = {const_cast<char*>(program.c_str()),
                                    const_cast<char*>(path.c_str()), nullptr};
  const int error =
      posix_spawn(child, program.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// What the probe says, until it ends. What goes beyond the limit is read and dropped, so that it
// does not wait for us.
std::string ReadAll(int descriptor) {
  std::string text;
  std::array<char, 1024> buffer{};
  for (;;) {
    const ssize_t got = read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return text;
    }
    text.append(buffer.data(),
                std::min(static_cast<std::size_t>(got),
                         kTextByteSizeMax - std::min(kTextByteSizeMax, text.size())));
  }
}

int WaitFor(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return 0;  // somebody else has taken the status: nothing is known against the file
    }
  }
  return status;
}

}  // namespace

Error ModelProbe::Check(const std::string& path) const {
  if (program_.empty() || IsIr(path)) {
    return {};
  }
  Pipe pipe;
  if (pipe2(pipe.ends.data(), O_CLOEXEC) != 0) {
    return Unavailable("no pipe to read '{}' in a process of its own: {}", path, TextOf(errno));
  }
  pid_t child = 0;
  if (const int error = Start(program_, path, pipe, &child); error != 0) {
    HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_WARN,
                         "'{}' is read without a probe: '{}' cannot be started: {}", path, program_,
                         TextOf(error));
    return {};
  }
  pipe.CloseEnd(1);
  const std::string text = ReadAll(pipe.ends[0]);
  const int status = WaitFor(child);
  if (WIFSIGNALED(status)) {
    return InvalidArgument(
        "'{}' cannot be read: the runtime's reader died of signal {} ({}) on it, in a process of "
        "its "
        "own",
        path, WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    return InvalidArgument("'{}' cannot be read: {}", path,
                           text.empty() ? "the runtime's reader gave no reason" : text);
  }
  return {};
}

}  // namespace headrace::backend
