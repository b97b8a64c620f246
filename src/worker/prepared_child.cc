#include "worker/prepared_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "worker/confinement.h"
#include "worker/environment.h"

namespace headrace::worker {
namespace {

std::vector<std::string> Joined(const std::map<std::string, std::string>& environment) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : environment) {
    lines.push_back(fmt::format("{}={}", name, value));
  }
  return lines;
}

Status CheckOptions(const ProcessOptions& options) {
  if (options.arguments.empty() || options.arguments.front().empty()) {
    return InvalidArgument("a process needs a program to run");
  }
  for (const ProcessOptions::Descriptor& descriptor : options.descriptors) {
    if (descriptor.ours < 0 || descriptor.number < 3 || descriptor.number > 255) {
      return InvalidArgument("descriptor {} cannot become descriptor {} of '{}'", descriptor.ours,
                             descriptor.number, options.arguments.front());
    }
  }
  const auto has_null = [](std::string_view text) { return text.find('\0') != text.npos; };
  for (const auto& [name, value] : options.environment) {
    if (name.empty() || name.find('=') != name.npos || has_null(name) || has_null(value)) {
      return InvalidArgument("environment variable '{}' of '{}' cannot be given to a process", name,
                             options.arguments.front());
    }
  }
  if (std::any_of(options.arguments.begin(), options.arguments.end(), has_null)) {
    return InvalidArgument("an argument of '{}' has a null byte", options.arguments.front());
  }
  return OkStatus();
}

std::vector<ChildPlan::Limit> LimitsOf(const ProcessLimits& wanted) {
  std::vector<ChildPlan::Limit> limits;
  limits.push_back({RLIMIT_CORE, {0, 0}});
  const auto add = [&](int resource, std::uint64_t value) {
    rlimit ours;
    if (value == 0 || getrlimit(static_cast<__rlimit_resource>(resource), &ours) != 0) {
      return;
    }
    const rlim_t most = std::min<rlim_t>(value, ours.rlim_max);
    limits.push_back({resource, {most, most}});
  };
  add(RLIMIT_AS, wanted.address_space_bytes_max);
  add(RLIMIT_FSIZE, wanted.file_bytes_max);
  add(RLIMIT_NOFILE, wanted.open_files_max);
  add(RLIMIT_NPROC, wanted.processes_max);
  return limits;
}

// All numbers from 3 that are none of `kept`, which is ascending.
std::vector<ChildPlan::Range> RangesBetween(const std::vector<unsigned>& kept) {
  std::vector<ChildPlan::Range> ranges;
  unsigned next = 3;
  for (const unsigned number : kept) {
    if (number > next) {
      ranges.push_back({next, number - 1});
    }
    next = std::max(next, number + 1);
  }
  ranges.push_back({next, UINT_MAX});
  return ranges;
}

}  // namespace

void PreparedChild::StringArray::Set(std::vector<std::string> strings) {
  strings_ = std::move(strings);
  pointers_.clear();
  for (std::string& text : strings_) {
    pointers_.push_back(text.data());
  }
  pointers_.push_back(nullptr);
}

Result<std::unique_ptr<PreparedChild>> PreparedChild::Make(const ProcessOptions& options,
                                                           const std::string& mark) {
  HEADRACE_RETURN_IF_ERROR(CheckOptions(options));
  const auto path = options.environment.find("PATH");
  std::optional<std::string> program =
      FindProgram(options.arguments.front(), path == options.environment.end() ? "" : path->second);
  if (!program) {
    return InvalidArgument("'{}' cannot be started: there is no such program in PATH",
                           options.arguments.front());
  }
  std::unique_ptr<PreparedChild> child(new PreparedChild());
  ChildPlan& plan = child->plan_;
  child->program_ = *std::move(program);
  plan.program = child->program_.c_str();
  child->arguments_.Set(options.arguments);
  plan.arguments = child->arguments_.get();
  std::vector<std::string> environment = Joined(options.environment);
  environment.push_back(mark);
  child->environment_.Set(std::move(environment));
  plan.environment = child->environment_.get();
  if (!options.working_directory.empty()) {
    plan.working_directory = options.working_directory.c_str();
  }
  plan.parent = getpid();
  plan.own_group = !options.keeps_terminal;
  if (!options.keeps_terminal) {
    HEADRACE_RETURN_IF_ERROR(child->PrepareStandardStreams());
  }
  child->PrepareDescriptors(options);
  child->limits_ = LimitsOf(options.limits);
  plan.limits = child->limits_;
  child->PrepareConfinement(options.confinement);
  child->PrepareCpus(options.cpus);
  return child;
}

Status PreparedChild::PrepareStandardStreams() {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Unavailable("cannot make a pipe for a worker's output: {}", std::strerror(errno));
  }
  output_.Reset(ends[0]);
  output_writer_.Reset(ends[1]);
  fcntl(output_.get(), F_SETFL, O_NONBLOCK);  // the writer's end stays as programs expect it
  no_input_.Reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!no_input_.valid()) {
    return Unavailable("cannot open /dev/null for a worker: {}", std::strerror(errno));
  }
  moves_ = {{no_input_.get(), 0}, {output_writer_.get(), 1}, {output_writer_.get(), 2}};
  return OkStatus();
}

void PreparedChild::PrepareDescriptors(const ProcessOptions& options) {
  std::vector<unsigned> kept;
  for (const ProcessOptions::Descriptor& descriptor : options.descriptors) {
    moves_.push_back({descriptor.ours, descriptor.number});
    kept.push_back(static_cast<unsigned>(descriptor.number));
  }
  std::sort(kept.begin(), kept.end());
  closed_ = RangesBetween(kept);
  plan_.moves = moves_;
  plan_.staging_base = kept.empty() ? 3 : static_cast<int>(kept.back()) + 1;
  plan_.closed = closed_;
}

void PreparedChild::PrepareConfinement(const Confinement& confinement) {
  filter_ = SystemCallFilter(confinement);
  if (!filter_.empty()) {
    filter_program_ = {static_cast<unsigned short>(filter_.size()), filter_.data()};
    plan_.filter = &filter_program_;
  }
  if (confinement.system_calls) {
    // Away from the numbers that the child's descriptors get.
    const UniqueFd made = MakeProcessFence();
    fence_.Reset(made.valid() ? fcntl(made.get(), F_DUPFD_CLOEXEC, plan_.staging_base) : -1);
    plan_.fence = fence_.get();
  }
}

void PreparedChild::PrepareCpus(const CpuList& cpus) {
  if (cpus.empty()) {
    return;
  }
  const auto count = static_cast<std::size_t>(*std::max_element(cpus.begin(), cpus.end())) + 1;
  cpus_.reset(CPU_ALLOC(count));
  plan_.cpus_byte_size = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(plan_.cpus_byte_size, cpus_.get());
  for (const int cpu : cpus) {
    CPU_SET_S(static_cast<std::size_t>(cpu), plan_.cpus_byte_size, cpus_.get());
  }
  plan_.cpus = cpus_.get();
}

}  // namespace headrace::worker
