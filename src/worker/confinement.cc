#include "worker/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace headrace::worker {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "no seccomp architecture number for this processor"
#endif

constexpr int kDenied[] = {
    // Other processes' memory and descriptors.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd,
    SYS_process_madvise,
    // Mounts and namespaces.
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsconfig,
    SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_unshare, SYS_setns, SYS_open_by_handle_at,
    // The kernel itself.
    SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_keyctl, SYS_request_key,
    SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
#if defined(__x86_64__)
    SYS_iopl, SYS_ioperm,
#endif
    // It does on its own what a filter is asked about otherwise.
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};

constexpr std::uint32_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                          CLONE_NEWNET;

class Program {
 public:
  void Load(std::size_t offset) {
    code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  // Of an argument the low half: the ones that are looked at here are ints, or have no high flags.
  void LoadArgument(std::size_t index) {
    Load(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
  }
  void FailUnlessEqual(std::uint32_t value, int error) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    Fail(error);
  }
  void FailIfEqual(std::uint32_t value, int error) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    Fail(error);
  }
  void FailIfAtLeast(std::uint32_t value, int error) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, 0, 1));
    Fail(error);
  }
  void FailIfAny(std::uint32_t bits, int error) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
    Fail(error);
  }
  void SkipUnlessEqual(std::uint32_t value, std::uint8_t count) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count));
  }
  void Allow() { code_.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)); }
  std::vector<sock_filter> Take() { return std::move(code_); }

 private:
  void Fail(int error) {
    code_.push_back(
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)));
  }
  std::vector<sock_filter> code_;
};

// <linux/landlock.h> of the oldest system that builds this lacks most of it.
struct LandlockRules {
  std::uint64_t handled_file_access = 0;
  std::uint64_t handled_network_access = 0;
  std::uint64_t scoped = 0;
};
struct [[gnu::packed]] LandlockBeneath {
  std::uint64_t allowed_access = 0;
  std::int32_t parent_fd = -1;
};
constexpr long kLandlockCreate = 444;
constexpr long kLandlockAdd = 445;
constexpr std::uint32_t kLandlockVersion = 1;  // a flag: asks for the interface's version
constexpr std::uint64_t kLandlockRefer = 1 << 13;
constexpr std::uint64_t kLandlockScopeSignal = 1 << 1;

}  // namespace

std::vector<sock_filter> SystemCallFilter(const Confinement& confinement) {
  if (!confinement.system_calls) {
    return {};
  }
  Program program;
  program.Load(offsetof(seccomp_data, arch));
  program.FailUnlessEqual(kArchitecture, EPERM);
  program.Load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  program.FailIfAtLeast(0x40000000, EPERM);  // the calls of x32 are the same by other numbers
#endif
  for (const int call : kDenied) {
    program.FailIfEqual(static_cast<std::uint32_t>(call), EPERM);
  }
  program.FailIfEqual(SYS_clone3, ENOSYS);
  program.SkipUnlessEqual(SYS_clone, 4);
  program.LoadArgument(0);
  program.FailIfAny(kNamespaceFlags, EPERM);
  program.Allow();
  if (confinement.no_network) {
    program.SkipUnlessEqual(SYS_socket, 4);
    program.LoadArgument(0);
    program.FailUnlessEqual(AF_UNIX, EPERM);
    program.Allow();
  }
  program.Allow();
  return program.Take();
}

UniqueFd MakeProcessFence() {
  const long version = syscall(kLandlockCreate, nullptr, 0, kLandlockVersion);
  if (version < 2) {  // the first one forbids to rename between folders
    return UniqueFd();
  }
  LandlockRules rules;
  rules.handled_file_access = kLandlockRefer;
  rules.scoped = version >= 6 ? kLandlockScopeSignal : 0;
  // A kernel takes no fields that it does not know.
  const std::size_t size = version >= 6   ? sizeof(rules)
                           : version >= 4 ? offsetof(LandlockRules, scoped)
                                          : offsetof(LandlockRules, handled_network_access);
  UniqueFd fence(static_cast<int>(syscall(kLandlockCreate, &rules, size, 0)));
  const UniqueFd root(open("/", O_PATH | O_CLOEXEC));
  LandlockBeneath everything;
  everything.allowed_access = kLandlockRefer;
  everything.parent_fd = root.get();
  if (!fence.valid() || !root.valid() ||
      syscall(kLandlockAdd, fence.get(), 1 /* path beneath */, &everything, 0) != 0) {
    return UniqueFd();
  }
  return fence;
}

}  // namespace headrace::worker
