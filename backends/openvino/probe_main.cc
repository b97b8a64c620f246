// headrace_openvino_probe FILE: reads a model file as the openvino backend does. Ends with status 0
// if that works; with status 1 and the reason on standard output if not; or of the signal that the
// reader dies of.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <openvino/openvino.hpp>

#include "openvino/failure_text.h"

namespace {

// A file that makes the reader take all memory, or never come back, must cost this process, and not
// the server.
void BeTheFirstToGo() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::ofstream("/proc/self/oom_score_adj") << 1000;
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  constexpr rlim_t kReadingSecondsMax = 600;
  const rlimit reading = {kReadingSecondsMax, kReadingSecondsMax};
  setrlimit(RLIMIT_CPU, &reading);
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) {
    std::fputs("usage: headrace_openvino_probe FILE\n", stderr);
    return 2;
  }
  BeTheFirstToGo();
  try {
    ov::Core core;
    core.set_property(ov::enable_mmap(false));
    core.read_model(std::string(arguments[1]));
    return 0;
  } catch (const std::exception& failure) {
    std::fputs(headrace::backend::FailureText(failure.what()).c_str(), stdout);
    return 1;
  }
}
