#include "worker/child_setup.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

// The child runs on a stack that sanitizers do not know.
#define HEADRACE_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

namespace headrace::worker {
namespace {

// As the kernel has it; zeros are the default action. (The C library's sigaction refuses the two
// signals that it keeps for itself.)
struct KernelSigaction {
  unsigned long handler = 0;
  unsigned long flags = 0;
  unsigned long restorer = 0;
  std::uint64_t mask = 0;
};

constexpr int kSignalMax = 64;
constexpr int kCapabilityMax = 63;
constexpr unsigned kClosedOneByOneMax = 1 << 20;
constexpr long kLandlockRestrictSelf = 446;

HEADRACE_CHILD bool DieWithParent(const ChildPlan& plan) {
  if (syscall(SYS_prctl, PR_SET_PDEATHSIG, long{SIGKILL}, 0L, 0L, 0L) != 0) {
    return false;
  }
  // It may have died before.
  if (syscall(SYS_getppid) != plan.parent) {
    syscall(SYS_exit_group, 127);
  }
  return true;
}

HEADRACE_CHILD void ResetSignals() {
  const KernelSigaction standard;
  for (int signal = 1; signal <= kSignalMax; ++signal) {
    syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof standard.mask);
  }
}

HEADRACE_CHILD bool PlaceDescriptors(const ChildPlan& plan) {
  // First out of the way of each other's numbers.
  for (ChildPlan::Move& move : plan.moves) {
    const long staged = syscall(SYS_fcntl, move.source, F_DUPFD_CLOEXEC, plan.staging_base);
    if (staged < 0) {
      return false;
    }
    move.source = static_cast<int>(staged);
  }
  for (const ChildPlan::Move& move : plan.moves) {
    if (syscall(SYS_dup3, move.source, move.number, 0) < 0) {
      return false;
    }
  }
  return true;
}

HEADRACE_CHILD void CloseOthers(const ChildPlan& plan) {
  rlimit limit = {};
  for (const ChildPlan::Range& range : plan.closed) {
    if (syscall(SYS_close_range, range.first, range.last, 0) == 0) {
      continue;
    }
    // Before Linux 5.9: one by one, up to the greatest number there can be.
    if (limit.rlim_cur == 0) {
      syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit);
    }
    for (unsigned fd = range.first;
         fd <= range.last && fd < limit.rlim_cur && fd < kClosedOneByOneMax; ++fd) {
      syscall(SYS_close, fd);
    }
  }
}

HEADRACE_CHILD bool SetLimits(const ChildPlan& plan) {
  for (const ChildPlan::Limit& limit : plan.limits) {
    if (syscall(SYS_prlimit64, 0, limit.resource, &limit.value, nullptr) != 0) {
      return false;
    }
  }
  return true;
}

HEADRACE_CHILD bool DropCapabilities() {
  // The bounding set needs CAP_SETPCAP; without it no_new_privs alone keeps them from coming back.
  for (long capability = 0; capability <= kCapabilityMax; ++capability) {
    syscall(SYS_prctl, PR_CAPBSET_DROP, capability, 0L, 0L, 0L);
  }
  syscall(SYS_prctl, PR_CAP_AMBIENT, long{PR_CAP_AMBIENT_CLEAR_ALL}, 0L, 0L, 0L);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

HEADRACE_CHILD bool InstallFilter(const ChildPlan& plan) {
  // Without the flag older kernels slow down all of the process's memory accesses.
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                 plan.filter) == 0 ||
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, plan.filter) == 0;
}

// The name of the step that failed; only if it cannot be executed it is null and errno is set.
HEADRACE_CHILD const char* Prepare(const ChildPlan& plan) {
  if (!DieWithParent(plan)) {
    return "the parent-death signal";
  }
  if (plan.own_group && syscall(SYS_setpgid, 0, 0) != 0) {
    return "a process group";
  }
  ResetSignals();
  if (plan.cpus != nullptr &&
      syscall(SYS_sched_setaffinity, 0, plan.cpus_byte_size, plan.cpus) != 0) {
    return "its processors";
  }
  if (plan.working_directory != nullptr && syscall(SYS_chdir, plan.working_directory) != 0) {
    return "its working directory";
  }
  if (!PlaceDescriptors(plan)) {
    return "its descriptors";
  }
  if (!SetLimits(plan)) {
    return "its limits";
  }
  if (!DropCapabilities()) {
    return "dropping capabilities";
  }
  if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0) {
    return "no_new_privs";
  }
  if (plan.fence >= 0 && syscall(kLandlockRestrictSelf, plan.fence, 0) != 0) {
    return "the Landlock rules";
  }
  CloseOthers(plan);  // after the last use of `fence`
  if (plan.filter != nullptr && !InstallFilter(plan)) {
    return "the system call filter";
  }
  const std::uint64_t no_signals = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, sizeof no_signals);
  return nullptr;
}

}  // namespace

HEADRACE_CHILD int RunChild(void* opaque) {
  ChildPlan& plan = *static_cast<ChildPlan*>(opaque);
  const char* failed = Prepare(plan);
  if (failed == nullptr) {
    syscall(SYS_execve, plan.program, plan.arguments, plan.environment);
    failed = "";
  }
  plan.error = errno;
  plan.failed_step = failed;
  syscall(SYS_exit_group, 127);
  return 127;
}

}  // namespace headrace::worker
