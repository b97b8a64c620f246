#include "worker/own_environment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/log.h"
#include "worker/output_lines.h"

namespace headrace::worker {
namespace {

constexpr std::size_t kLastLineCount = 8;  // of a failed step, that its failure repeats

// Writes the packages' folders of the base to the environment's: --system-site-packages means those
// of the installation that the base comes from, which are others if the base is an environment.
constexpr std::string_view kSeeBasePackages = R"PY(
import pathlib, site, sys, sysconfig
target = pathlib.Path(sys.argv[1])
own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
places = [place for place in dict.fromkeys(own + site.getsitepackages()) if pathlib.Path(place).is_dir()]
version = "python%d.%d" % sys.version_info[:2]
(target / "lib" / version / "site-packages" / "_base.pth").write_text("\n".join(places) + "\n")
)PY";

// Reads what there is; false at the end.
bool ReadOutput(int fd, Nanos now, OutputLines& lines, const OutputLines::Sink& sink) {
  char buffer[4096];
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return errno == EAGAIN;
    }
    if (count == 0) {
      return false;
    }
    lines.Add({buffer, static_cast<std::size_t>(count)}, now, sink);
  }
}

}  // namespace

std::vector<std::string> InstallerVariables(const char* const* environment) {
  std::vector<std::string> names;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const std::string_view name = entry.substr(0, entry.find('='));
    const std::string lower = LowerCase(name);
    if (name.starts_with("PIP_") || lower == "http_proxy" || lower == "https_proxy" ||
        lower == "all_proxy" || lower == "no_proxy") {
      names.emplace_back(name);
    }
  }
  return names;
}

OwnEnvironment::~OwnEnvironment() {
  std::error_code failure;
  if (!directory_.empty()) {
    std::filesystem::remove_all(directory_, failure);
  }
  if (failure) {
    HEADRACE_LOG_WARNING("the environment '{}' cannot be removed: {}", directory_,
                         failure.message());
  }
}

Result<Interpreter> OwnEnvironment::Get() {
  const std::lock_guard lock(mutex_);
  if (!made_) {
    HEADRACE_ASSIGN_OR_RETURN(made_, Make());
  }
  return *made_;
}

Status OwnEnvironment::MakeDirectory() {
  std::error_code failure;
  if (!directory_.empty()) {
    std::filesystem::remove_all(std::exchange(directory_, {}), failure);
  }
  std::string folder = options_.temporary_directory + "/headrace_environment_XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    return Unavailable("no folder for an environment of its own can be made in '{}': {}",
                       options_.temporary_directory, std::strerror(errno));
  }
  directory_ = std::move(folder);
  return OkStatus();
}

Result<Interpreter> OwnEnvironment::Make() {
  const Nanos end = Clock::Real().Now() + options_.timeout;
  HEADRACE_RETURN_IF_ERROR(MakeDirectory());
  const std::string& base = options_.base.program;
  // Without a pip of its own, whose copy would take seconds: the base's is seen from within.
  HEADRACE_RETURN_IF_ERROR(
      Run("making a virtual environment",
          {base, "-m", "venv", "--system-site-packages", "--without-pip", directory_}, end));
  HEADRACE_RETURN_IF_ERROR(Run("looking for the packages of its base",
                               {base, "-c", std::string(kSeeBasePackages), directory_}, end));
  Interpreter made = options_.base;
  made.program = directory_ + "/bin/python";
  const std::string path = made.environment["PATH"];
  const auto inherited = options_.environment.find("PATH");
  made.environment["PATH"] =
      fmt::format("{}/bin:{}", directory_,
                  !path.empty()                             ? path
                  : inherited == options_.environment.end() ? ""
                                                            : inherited->second);
  made.environment["VIRTUAL_ENV"] = directory_;
  if (!options_.requirements_file.empty()) {
    HEADRACE_RETURN_IF_ERROR(
        Run("pip",
            {made.program, "-m", "pip", "install", "--no-input", "--upgrade", "--upgrade-strategy",
             "only-if-needed", "--disable-pip-version-check", "--requirement",
             options_.requirements_file},
            end));
  }
  return made;
}

Status OwnEnvironment::Run(std::string_view step, std::vector<std::string> arguments,
                           Nanos end) const {
  HEADRACE_LOG_INFO("{}: {}", options_.label, step);
  ProcessOptions process_options;
  process_options.arguments = std::move(arguments);
  process_options.environment = options_.environment;
  process_options.confinement = options_.confinement;
  if (!options_.requirements_file.empty()) {
    // Requirements may name files beside them.
    process_options.working_directory =
        std::filesystem::path(options_.requirements_file).parent_path().string();
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::unique_ptr<Process> process,
                            Process::Start(std::move(process_options)));
  OutputLines lines;
  std::deque<std::string> last;
  const OutputLines::Sink sink = [&](std::string_view line) {
    HEADRACE_LOG_INFO("{}: {}: {}", options_.label, step, line);
    last.emplace_back(line);
    if (last.size() > kLastLineCount) {
      last.pop_front();
    }
  };
  const Clock& clock = Clock::Real();
  bool late = false;
  for (;;) {
    const Nanos left = end - clock.Now();
    if (left <= 0) {
      late = true;
      process->Kill();
      break;
    }
    pollfd waits[] = {{process->output(), POLLIN, 0}, {process->pidfd(), POLLIN, 0}};
    const int timeout_ms =
        static_cast<int>(std::min<Nanos>(left / kMillisecond + 1, Nanos{60'000}));
    (void)poll(waits, std::size(waits), timeout_ms);
    if (!ReadOutput(process->output(), clock.Now(), lines, sink) || waits[1].revents != 0) {
      break;
    }
  }
  const std::optional<ProcessExit> exit = process->Wait(kNever);
  ReadOutput(process->output(), clock.Now(), lines, sink);
  lines.Finish(sink);
  if (late) {
    return Unavailable("{} took longer than {} s (install-timeout-seconds); it said: {}", step,
                       options_.timeout / kSecond, fmt::join(last, " | "));
  }
  if (!exit || exit->how != ProcessExit::How::kStatus || exit->value != 0) {
    return Unavailable("{} failed: {}; it said: {}", step,
                       exit ? exit->Describe() : "it cannot be waited for", fmt::join(last, " | "));
  }
  return OkStatus();
}

}  // namespace headrace::worker
