// One child process: started without a shell, confined, watched, and ended with all that it
// started.
//
// Example:
//   ProcessOptions options;
//   options.arguments = {"/usr/bin/python3", "main.py"};
//   options.environment = ChosenEnvironment(environ, {});   // worker/environment.h
//   options.descriptors = {{call.get(), 3}};
//   HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<Process> process,
//   Process::Start(std::move(options)));
//
// How it starts: clone(CLONE_VM | CLONE_VFORK) as posix_spawn does it. The child borrows this
// process's memory until it executes the program, so that its cost does not grow with the server's
// size; everything that it needs is made before, and it makes nothing but system calls. The calling
// thread waits meanwhile (a millisecond or two).
//
// The child dies with the thread that started it (PR_SET_PDEATHSIG: the kernel means the thread),
// so that thread must live as long as the process shall: see docs/workers.md, the keeper.
#ifndef HEADRACE_WORKER_PROCESS_H_
#define HEADRACE_WORKER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/thread.h"
#include "base/unique_fd.h"

namespace headrace::worker {

// What the kernel refuses to give the child (setrlimit). 0: as the server has it. What a limit of
// the server's own forbids is lowered to that.
struct ProcessLimits {
  std::uint64_t address_space_bytes_max = 0;  // RLIMIT_AS
  std::uint64_t file_bytes_max = 0;           // RLIMIT_FSIZE
  std::uint64_t open_files_max = 0;           // RLIMIT_NOFILE
  std::uint64_t processes_max = 0;            // RLIMIT_NPROC: of all of the user's; root has none
};

// What is forbidden to the child and all that it starts. no_new_privs, no core dumps and no
// capabilities (where the server runs as root: it stays the same user, so it reads what belongs to
// root, and nothing that only a capability would open) are not a matter of choice.
struct Confinement {
  // Refuses with EPERM: ptrace, process_vm_*, pidfd_getfd, mounts, kexec, modules, bpf, keys,
  // userfaultfd, perf events, other namespaces, io_uring.
  bool system_calls = true;
  // Refuses sockets but those of this machine (AF_UNIX). Needs `system_calls`.
  bool no_network = false;
};

struct ProcessOptions {
  // The program (a path, or a name to be found in the environment's PATH) and its arguments.
  std::vector<std::string> arguments;
  // All of it: nothing is inherited.
  std::map<std::string, std::string> environment;
  struct Descriptor {
    int ours = -1;   // borrowed until Start returns
    int number = 3;  // the child's; from 3
  };
  std::vector<Descriptor> descriptors;
  std::string working_directory;  // empty: the server's
  // For a debugger: 0, 1 and 2 are the server's, and so is the group (a group of its own could not
  // read from the terminal). There is no output to read then.
  bool keeps_terminal = false;
  ProcessLimits limits;
  Confinement confinement;
  CpuList cpus;  // where it may run; empty: where the calling thread may
  // It makes children of this process's (worker_template.h): those that are in its group when it
  // ends are reaped with it.
  bool leads_copies = false;
};

// How a process ended.
struct ProcessExit {
  enum class How : std::uint8_t { kStatus, kSignal, kUnknown };
  How how = How::kUnknown;
  int value = 0;              // exit status, or signal number
  bool killed_by_us = false;  // Kill() was called before
  // It was killed by a SIGKILL that was not ours, or by a shell's name for one (status 137): most
  // often the kernel for want of memory.
  bool MayBeOutOfMemory() const;
  // "exit status 3", "signal 11 (Segmentation fault)", "signal 9 (Killed), perhaps for want of
  // memory".
  std::string Describe() const;

  bool operator==(const ProcessExit&) const = default;
};

// Thread-safe, but for output(), which one thread reads. Owns the process and all that it started:
// once it has ended, its group is killed, and what had left the group (setsid) is found by a mark
// in its environment, HEADRACE_PROCESS. The destructor kills it first.
class Process {
 public:
  // Blocks until the program runs. INVALID_ARGUMENT or UNAVAILABLE names the program, the step that
  // failed and why: "'/x/python' cannot be started: No such file or directory".
  static Result<std::unique_ptr<Process>> Start(ProcessOptions options);
  // A child of this process that another child has made, with CLONE_PARENT, and that is in that
  // one's group, `maker`: from now on in a group of its own. `mark`: of NewMark, as its environment
  // has it. INVALID_ARGUMENT for any other process, which is left alone.
  static Result<std::unique_ptr<Process>> Adopt(pid_t pid, pid_t maker, UniqueFd output,
                                                std::string mark);
  // "HEADRACE_PROCESS=...", unlike that of any process before; all have the same length.
  static std::string NewMark();
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Readable (poll) once the process has ended. Borrowed.
  int pidfd() const { return pidfd_.get(); }
  // What it writes to stdout and stderr, one pipe for both; non-blocking; -1 with keeps_terminal.
  // Ends (read gives 0) when all that hold it have ended. Borrowed.
  int output() const { return output_.get(); }

  // SIGKILL to the process and its group. Does not block. No-op once it has been reaped.
  void Kill();
  // Blocks until the process has ended, `timeout` at most (kNever: for ever; 0: only looks), then
  // kills what it left behind and reaps it. Nothing if it still runs. Later calls give the same
  // again. One thread at a time.
  std::optional<ProcessExit> Wait(Nanos timeout);

 private:
  struct Traits {
    bool has_group = true, leads_copies = false;
  };
  Process(pid_t pid, UniqueFd pidfd, UniqueFd output, std::string mark, Traits traits);
  void SignalGroup();  // with mutex_ held, before it was reaped
  void ReapCopies() const;

  const pid_t pid_;
  const UniqueFd pidfd_;
  const UniqueFd output_;
  const std::string mark_;  // "HEADRACE_PROCESS=..."
  const Traits traits_;
  std::mutex mutex_;  // guards what follows, and pid_'s meaning: reaped, it is another's
  bool killed_ = false;
  std::optional<ProcessExit> exit_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PROCESS_H_
