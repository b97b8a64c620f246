#include "worker/process.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "worker/child_setup.h"
#include "worker/prepared_child.h"
#include "worker/stragglers.h"

namespace headrace::worker {
namespace {

constexpr std::size_t kChildStackByteSize = 64 * 1024;
constexpr int kPidfdId = 3;  // P_PIDFD, which older headers lack
// A killed process that is still there then hangs in the kernel (a driver): it is left to init.
constexpr Nanos kReapTimeMax = 10 * kSecond;

Status Failure(const std::string& program, std::string_view step, int error) {
  std::string reason =
      step.empty()
          ? fmt::format("'{}' cannot be started: {}", program, std::strerror(error))
          : fmt::format("'{}' cannot be started: {}: {}", program, step, std::strerror(error));
  const bool transient = error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
  return Status(transient ? StatusCode::kUnavailable : StatusCode::kInvalidArgument,
                std::move(reason));
}

// Keeps the thread's signals away while a child shares its memory: a handler that ran there would
// run on the server's state.
class ScopedSignalBlock {
 public:
  ScopedSignalBlock() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~ScopedSignalBlock() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  ScopedSignalBlock(const ScopedSignalBlock&) = delete;
  ScopedSignalBlock& operator=(const ScopedSignalBlock&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

bool ProcessExit::MayBeOutOfMemory() const {
  return (how == How::kSignal && value == SIGKILL && !killed_by_us) ||
         (how == How::kStatus && value == 128 + SIGKILL);
}

std::string ProcessExit::Describe() const {
  std::string text;
  switch (how) {
    case How::kStatus:
      text = fmt::format("exit status {}", value);
      break;
    case How::kSignal: {
      const char* name = strsignal(value);
      text = fmt::format("signal {} ({})", value, name != nullptr ? name : "unknown");
      break;
    }
    case How::kUnknown:
      return "an end that the system does not tell";
  }
  return MayBeOutOfMemory() ? text + ", perhaps for want of memory" : text;
}

// Distinguishes processes of this server, and of servers that run at the same time or did before.
std::string Process::NewMark() {
  static std::atomic<std::uint64_t> next{0};
  return fmt::format("HEADRACE_PROCESS={:08x}-{:016x}-{:012x}", getpid(), Clock::Real().Now(),
                     next.fetch_add(1));
}

Result<std::unique_ptr<Process>> Process::Start(ProcessOptions options) {
  const std::string mark = NewMark();
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<PreparedChild> child,
                            PreparedChild::Make(options, mark));
  ChildPlan& plan = child->plan();
  const auto stack = std::make_unique<char[]>(kChildStackByteSize);
  int pidfd = -1;
  pid_t pid;
  int error;
  {
    const ScopedSignalBlock quiet;
    // The stack grows downwards on all that this is built for.
    pid = clone(&RunChild, stack.get() + kChildStackByteSize,
                CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
    error = errno;
  }
  if (pid < 0) {
    return Failure(child->program(), "no process", error);
  }
  std::unique_ptr<Process> process(
      new Process(pid, UniqueFd(pidfd), child->TakeOutput(), mark,
                  {.has_group = !options.keeps_terminal, .leads_copies = options.leads_copies}));
  if (plan.failed_step != nullptr) {
    return Failure(child->program(), plan.failed_step, plan.error);  // the destructor reaps
  }
  return process;
}

Result<std::unique_ptr<Process>> Process::Adopt(pid_t pid, pid_t maker, UniqueFd output,
                                                std::string mark) {
  UniqueFd pidfd(pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1);
  siginfo_t info = {};
  // Asked last: what is not reaped then had its number all the while.
  if (!pidfd.valid() || pid == maker || getpgid(pid) != maker || setpgid(pid, pid) != 0 ||
      waitid(static_cast<idtype_t>(kPidfdId), static_cast<id_t>(pidfd.get()), &info,
             WEXITED | WNOHANG | WNOWAIT) != 0) {
    return InvalidArgument("process {} is no copy that process {} has made", pid, maker);
  }
  return std::unique_ptr<Process>(
      new Process(pid, std::move(pidfd), std::move(output), std::move(mark), {}));
}

Process::Process(pid_t pid, UniqueFd pidfd, UniqueFd output, std::string mark, Traits traits)
    : pid_(pid),
      pidfd_(std::move(pidfd)),
      output_(std::move(output)),
      mark_(std::move(mark)),
      traits_(traits) {}

Process::~Process() {
  Kill();
  if (!Wait(kReapTimeMax)) {
    HEADRACE_LOG_ERROR("process {} does not end although it was killed", pid_);
  }
}

void Process::SignalGroup() {
  kill(pid_, SIGKILL);
  if (traits_.has_group) {
    kill(-pid_, SIGKILL);
  }
}

void Process::Kill() {
  std::lock_guard lock(mutex_);
  if (!exit_) {
    killed_ = true;
    SignalGroup();
  }
}

std::optional<ProcessExit> Process::Wait(Nanos timeout) {
  {
    std::lock_guard lock(mutex_);
    if (exit_) {
      return exit_;
    }
  }
  const Nanos deadline = timeout == kNever ? kNever : Clock::Real().Now() + timeout;
  pollfd ended = {pidfd_.get(), POLLIN, 0};
  for (;;) {
    const Nanos left =
        deadline == kNever ? kNever : std::max<Nanos>(0, deadline - Clock::Real().Now());
    const int wait_ms =
        left == kNever
            ? -1
            : static_cast<int>(std::min<Nanos>((left + kMillisecond - 1) / kMillisecond, INT_MAX));
    const int ready = poll(&ended, 1, wait_ms);
    if (ready > 0) {
      break;
    }
    if (ready == 0 && left <= static_cast<Nanos>(wait_ms) * kMillisecond && wait_ms < INT_MAX) {
      return std::nullopt;
    }
  }
  std::unique_lock lock(mutex_);
  // As long as it is not reaped its number, and that of its group, are nobody else's.
  if (traits_.has_group) {
    kill(-pid_, SIGKILL);
  }
  ProcessExit exit;
  siginfo_t info = {};
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) == 0) {
    exit.how = info.si_code == CLD_EXITED ? ProcessExit::How::kStatus : ProcessExit::How::kSignal;
    exit.value = info.si_status;
  }
  exit.killed_by_us = killed_;
  exit_ = exit;
  lock.unlock();
  KillMarked(mark_);
  if (traits_.leads_copies) {
    ReapCopies();
  }
  return exit;
}

// They were killed with the group.
void Process::ReapCopies() const {
  const Nanos deadline = Clock::Real().Now() + kReapTimeMax;
  for (;;) {
    siginfo_t info = {};
    if (waitid(P_PGID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0) {
      return;  // there is none
    }
    if (info.si_pid == 0) {
      if (Clock::Real().Now() >= deadline) {
        HEADRACE_LOG_ERROR("a copy of process {} does not end although it was killed", pid_);
        return;
      }
      (void)poll(nullptr, 0, 1);
    }
  }
}

}  // namespace headrace::worker
