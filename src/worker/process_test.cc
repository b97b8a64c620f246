#include "worker/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "worker/confinement.h"
#include "worker/environment.h"

namespace headrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr Nanos kPatience = 20 * kSecond;

ProcessOptions Options(std::vector<std::string> arguments) {
  ProcessOptions options;
  options.arguments = std::move(arguments);
  options.environment = ChosenEnvironment(environ, {});
  return options;
}
ProcessOptions Shell(const std::string& script) { return Options({"/bin/sh", "-c", script}); }
ProcessOptions Python(const std::string& script) {
  return Options({"python3", "-S", "-c", "import ctypes, errno, os, sys\n" + script});
}

std::unique_ptr<Process> MustStart(ProcessOptions options) {
  auto process = Process::Start(std::move(options));
  EXPECT_TRUE(process.ok()) << process.status().ToString();
  return process.ok() ? *std::move(process) : nullptr;
}

// What comes out until all writers have closed the pipe.
std::string ReadAll(const Process& process) {
  std::string text;
  const Nanos deadline = Clock::Real().Now() + kPatience;
  while (Clock::Real().Now() < deadline) {
    pollfd readable = {process.output(), POLLIN, 0};
    poll(&readable, 1, 1000);
    std::array<char, 4096> block;
    const ssize_t count = read(process.output(), block.data(), block.size());
    if (count == 0) {
      return text;
    }
    if (count > 0) {
      text.append(block.data(), static_cast<std::size_t>(count));
    }
  }
  ADD_FAILURE() << "the output does not end; so far: " << text;
  return text;
}

// Until a first line is complete; without its end.
std::string ReadLine(const Process& process) {
  std::string text;
  const Nanos deadline = Clock::Real().Now() + kPatience;
  while (Clock::Real().Now() < deadline && !text.ends_with('\n')) {
    pollfd readable = {process.output(), POLLIN, 0};
    poll(&readable, 1, 1000);
    char byte;
    if (read(process.output(), &byte, 1) == 1) {
      text += byte;
    }
  }
  return text.substr(0, text.find('\n'));
}

std::string OutputOf(ProcessOptions options) {
  const auto process = MustStart(std::move(options));
  return process == nullptr ? "" : ReadAll(*process);
}

ProcessExit ExitOf(ProcessOptions options) {
  const auto process = MustStart(std::move(options));
  return process == nullptr ? ProcessExit() : process->Wait(kPatience).value_or(ProcessExit());
}

bool IsGone(pid_t pid) {
  // A zombie that nobody has fetched yet is gone, too.
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  return text.empty() || text.substr(text.rfind(')')).starts_with(") Z");
}

void ExpectGone(pid_t pid) {
  const Nanos deadline = Clock::Real().Now() + kPatience;
  while (!IsGone(pid) && Clock::Real().Now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(IsGone(pid)) << pid;
}

TEST(Process, GivesBackWhatItWrites) {
  EXPECT_EQ(OutputOf(Shell("echo out; echo err >&2")), "out\nerr\n");
}

TEST(Process, TellsHowItEnded) {
  const ProcessExit status = ExitOf(Shell("exit 3"));
  EXPECT_EQ(status.Describe(), "exit status 3");
  EXPECT_FALSE(status.MayBeOutOfMemory());
  EXPECT_EQ(ExitOf(Shell("kill -SEGV $$")).Describe(), "signal 11 (Segmentation fault)");
  const ProcessExit killed = ExitOf(Shell("kill -KILL $$"));
  EXPECT_TRUE(killed.MayBeOutOfMemory());
  EXPECT_EQ(killed.Describe(), "signal 9 (Killed), perhaps for want of memory");
  EXPECT_TRUE(ExitOf(Shell("exit 137")).MayBeOutOfMemory());
}

TEST(Process, NamesTheProgramThatCannotBeStarted) {
  const auto absent = Process::Start(Options({"/nowhere/python"}));
  EXPECT_EQ(absent.status().ToString(),
            "INVALID_ARGUMENT: '/nowhere/python' cannot be started: No such file or directory");
  const auto unknown = Process::Start(Options({"no_such_interpreter"}));
  EXPECT_THAT(unknown.status().message(), HasSubstr("there is no such program in PATH"));
  EXPECT_THAT(Process::Start(Options({"/dev/null"})).status().message(),
              HasSubstr("'/dev/null' cannot be started: Permission denied"));
  ProcessOptions elsewhere = Shell("true");
  elsewhere.working_directory = "/nowhere";
  EXPECT_THAT(Process::Start(std::move(elsewhere)).status().message(),
              HasSubstr("its working directory: No such file or directory"));
  EXPECT_FALSE(Process::Start(Options({})).ok());
}

TEST(Process, RefusesWhatCannotBePassedOn) {
  ProcessOptions options = Shell("true");
  options.environment["A=B"] = "c";
  EXPECT_THAT(Process::Start(options).status().message(), HasSubstr("environment variable 'A=B'"));
  options = Shell("true");
  options.descriptors = {{0, 2}};
  EXPECT_FALSE(Process::Start(options).ok());
}

TEST(Process, HasOnlyTheEnvironmentThatItIsGiven) {
  ProcessOptions options = Options({"/usr/bin/env"});
  options.environment = {{"A", "1"}, {"B", "two words"}};
  const std::string output = OutputOf(std::move(options));
  EXPECT_THAT(output, HasSubstr("A=1\nB=two words\nHEADRACE_PROCESS="));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 3);
}

TEST(Process, HasOnlyTheDescriptorsThatItIsGiven) {
  // Numbers that cross each other, and one that is open here and not passed on.
  std::array<int, 2> pair;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair.data()), 0);
  const UniqueFd left(pair[0]), right(pair[1]);
  const UniqueFd leaky(open("/dev/zero", O_RDONLY));  // not close-on-exec
  ASSERT_TRUE(leaky.valid());
  const UniqueFd data(memfd_create("data", MFD_CLOEXEC));
  ASSERT_EQ(write(data.get(), "in place", 8), 8);
  ProcessOptions options = Python(
      "print(sorted(int(f) for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' "
      "+ f)))\n"
      "print(os.pread(9, 8, 0).decode(), os.read(0, 1), "
      "os.path.basename(os.readlink('/proc/self/fd/4'))[:6])");
  options.descriptors = {{left.get(), 4}, {right.get(), 3}, {data.get(), 9}};
  EXPECT_EQ(OutputOf(std::move(options)), "[0, 1, 2, 3, 4, 9]\nin place b'' socket\n");
}

TEST(Process, HasStandardSignalsAndIsConfined) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto before = std::signal(SIGUSR1, [](int) {});
  sigset_t blocked, old;
  sigfillset(&blocked);
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  const std::string status = OutputOf(Options({"/bin/cat", "/proc/self/status"}));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  std::signal(SIGUSR1, before);
  const std::string zeros(16, '0');
  for (const char* name : {"SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    EXPECT_THAT(status, HasSubstr(fmt::format("{}:\t{}", name, zeros)));
  }
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
}

TEST(Process, LeadsAGroupOfItsOwn) {
  EXPECT_EQ(OutputOf(Python("print(os.getpgrp() == os.getpid())")), "True\n");
}

TEST(Process, RunsWithinItsLimits) {
  ProcessOptions options = Python(
      "import resource as r\n"
      "for n in 'CORE', 'AS', 'NOFILE', 'FSIZE': print(n, *r.getrlimit(getattr(r, 'RLIMIT_' + "
      "n)))\n"
      "try: bytearray(1 << 31)\n"
      "except MemoryError: print('no memory')");
  options.limits.address_space_bytes_max = 1 << 30;
  options.limits.open_files_max = 100;
  options.limits.file_bytes_max = 4096;
  EXPECT_EQ(OutputOf(std::move(options)),
            "CORE 0 0\nAS 1073741824 1073741824\nNOFILE 100 100\nFSIZE 4096 4096\nno memory\n");
}

TEST(Process, RunsWhereItIsTold) {
  const int cpu = AvailableCpus().front();
  ProcessOptions options = Python("print(os.sched_getaffinity(0), os.getcwd())");
  options.cpus = {cpu};
  options.working_directory = "/usr";
  EXPECT_EQ(OutputOf(std::move(options)), fmt::format("{{{}}} /usr\n", cpu));
}

TEST(Process, MayNotLookIntoTheServerNorChangeTheSystem) {
  const std::string script =
      "c = ctypes.CDLL(None, use_errno=True)\n"
      "def tried(name, *a):\n"
      "  ctypes.set_errno(0)\n"
      "  r = getattr(c, name)(*a)\n"
      "  print(name, 'done' if r >= 0 else errno.errorcode[ctypes.get_errno()])\n"
      "parent = os.getppid()\n"
      "tried('ptrace', 16, parent, 0, 0)\n"
      "tried('mount', b'none', b'/mnt', b'tmpfs', 0, 0)\n"
      "tried('unshare', 0x10000000)\n"
      "tried('setns', 0, 0)\n"
      "tried('process_vm_readv', parent, 0, 0, 0, 0, 0)\n"
      "for name in ('fd/0', 'environ', 'mem'):\n"
      "  try:\n"
      "    path = f'/proc/{parent}/{name}'\n"
      "    open(path, 'rb').read(1)\n"
      "    print(name, 'open')\n"
      "  except OSError as e: print(name, e.errno in (errno.EACCES, errno.EPERM))\n";
  const std::string output = OutputOf(Python(script));
  EXPECT_THAT(output, StartsWith("ptrace EPERM\nmount EPERM\nunshare EPERM\nsetns EPERM\n"
                                 "process_vm_readv EPERM\n"));
  if (MakeProcessFence().valid() || geteuid() == 0) {
    EXPECT_THAT(output, HasSubstr("fd/0 True\nenviron True\nmem True\n"));
  }
}

TEST(Process, CanDoWhatModelsDo) {
  const std::string script =
      "import subprocess, socket, threading, tempfile\n"
      "t = threading.Thread(target=lambda: print('thread', flush=True)); t.start(); t.join()\n"
      "print(subprocess.run(['/bin/echo', 'child'], capture_output=True).stdout, flush=True)\n"
      "socket.socket(socket.AF_INET).close(); socket.socketpair()\n"
      "with tempfile.TemporaryDirectory() as d:\n"
      "  os.mkdir(d + '/a'); open(d + '/f', 'w').close(); os.rename(d + '/f', d + '/a/f')\n"
      "  print(os.listdir(d + '/a'))\n";
  EXPECT_EQ(OutputOf(Python(script)), "thread\nb'child\\n'\n['f']\n");
}

TEST(Process, CanBeKeptFromTheNetwork) {
  ProcessOptions options = Python(
      "import socket\n"
      "for f in 'AF_INET', 'AF_INET6', 'AF_UNIX':\n"
      "  try: socket.socket(getattr(socket, f)); print(f, 'open')\n"
      "  except OSError as e: print(f, errno.errorcode[e.errno])");
  options.confinement.no_network = true;
  EXPECT_EQ(OutputOf(std::move(options)), "AF_INET EPERM\nAF_INET6 EPERM\nAF_UNIX open\n");
}

TEST(Process, KillTakesItsChildrenToo) {
  const auto process = MustStart(Shell("sleep 1000 & echo $!; wait"));
  const pid_t child = std::stoi(ReadLine(*process));
  EXPECT_EQ(process->Wait(0), std::nullopt);
  process->Kill();
  const auto exit = process->Wait(kPatience);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->Describe(), "signal 9 (Killed)");
  EXPECT_EQ(process->Wait(0), exit);
  ExpectGone(child);
}

TEST(Process, ItsEndTakesWhatLeftTheGroup) {
  // Forks twice, out of the session, and ends by itself.
  const auto process =
      MustStart(Python("if os.fork() == 0:\n"
                       "  os.setsid()\n"
                       "  if os.fork() == 0:\n"
                       "    print(os.getpid(), flush=True)\n"
                       "    import signal; signal.pause()\n"
                       "  os._exit(0)\n"
                       "os.wait(); sys.stdin.read()"));
  const pid_t stray = std::stoi(ReadLine(*process));
  EXPECT_TRUE(process->Wait(kPatience).has_value());
  ExpectGone(stray);
}

TEST(Process, WaitEndsWithItsTime) {
  const auto process = MustStart(Shell("sleep 1000"));
  EXPECT_EQ(process->Wait(kMillisecond), std::nullopt);
}

TEST(Process, DestructionEndsIt) {
  pid_t pid;
  {
    const auto process = MustStart(Shell("trap '' TERM HUP INT; echo up; sleep 1000"));
    EXPECT_EQ(ReadLine(*process), "up");
    pid = process->pid();
  }
  ExpectGone(pid);
}

TEST(Process, DiesWithTheThreadThatStartedIt) {
  std::unique_ptr<Process> process;
  std::thread keeper([&] { process = MustStart(Shell("sleep 1000")); });
  keeper.join();
  const auto exit = process->Wait(kPatience);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->value, SIGKILL);
}

TEST(Process, StartsWhileOtherThreadsAllocate) {
  std::atomic<bool> done{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < 2; ++i) {
    busy.emplace_back([&] {
      while (!done.load()) {
        std::string text(1000, 'x');
        setenv("HEADRACE_TEST_NOISE", "1", 1);
      }
    });
  }
  for (int i = 0; i < 30; ++i) {
    ProcessOptions options;
    options.arguments = {"/bin/true"};
    EXPECT_EQ(ExitOf(std::move(options)).Describe(), "exit status 0");
  }
  done = true;
  for (std::thread& thread : busy) {
    thread.join();
  }
}

TEST(Environment, KeepsSecretsAway) {
  for (const char* name :
       {"PATH", "LC_ALL", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HF_HOME"}) {
    EXPECT_TRUE(IsInheritedVariable(name)) << name;
  }
  for (const char* name :
       {"HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "TRITON_AUTH_TOKEN", "NVIDIA_API_KEY", "PYTHONSTARTUP",
        "PYTHONHOME", "HEADRACE_HTTP_PORT", ""}) {
    EXPECT_FALSE(IsInheritedVariable(name)) << name;
  }
  const char* const variables[] = {"PATH=/bin", "HF_TOKEN=x", "MINE=a=b", "broken", nullptr};
  const std::string also[] = {"MINE"};
  EXPECT_THAT(ChosenEnvironment(variables, also),
              ElementsAre(std::pair("MINE", "a=b"), std::pair("PATH", "/bin")));
  EXPECT_THAT(ChosenEnvironment(nullptr, {}), IsEmpty());
}

TEST(Environment, FindsProgramsAsAShellDoes) {
  EXPECT_EQ(FindProgram("sh", "/nowhere::/bin"), "/bin/sh");
  EXPECT_EQ(FindProgram("/any/thing", ""), "/any/thing");
  EXPECT_EQ(FindProgram("bin", "/"), std::nullopt);  // a folder
  EXPECT_EQ(FindProgram("", "/bin"), std::nullopt);
}

}  // namespace
}  // namespace headrace::worker
