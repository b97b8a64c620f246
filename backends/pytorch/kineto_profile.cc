#include "pytorch/kineto_profile.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <sys/syscall.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/csrc/profiler/orchestration/observer.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <sstream>
#include <utility>
#include <variant>

#include "pytorch/aten_work.h"

namespace headrace::backend {
namespace {

namespace kineto = torch::autograd::profiler;

// Kineto has one recording for a process.
std::atomic<bool> recording{false};

std::string ShapesText(c10::ArrayRef<std::vector<std::int64_t>> shapes) {
  std::ostringstream text;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    text << (i == 0 ? "" : " ") << '[';
    for (std::size_t j = 0; j < shapes[i].size(); ++j) {
      text << (j == 0 ? "" : ",") << shapes[i][j];
    }
    text << ']';
  }
  return text.str();
}

// The lines of the source that called an operator, outermost first, as "file.py(12): forward;...".
std::string StackText(c10::ArrayRef<std::string> frames) {
  std::string text;
  for (std::size_t i = frames.size(); i-- > 0;) {
    std::string frame = frames[i];
    std::replace_if(
        frame.begin(), frame.end(), [](char c) { return c == ';' || c == '\n'; }, ' ');
    text += (text.empty() ? "" : ";") + frame;
  }
  return text;
}

using Shape = torch::profiler::impl::shape;

// Of a tensor; a list of tensors has none.
std::vector<std::int64_t> DimsOf(c10::ArrayRef<Shape> shapes, std::size_t index) {
  const auto* dims =
      index < shapes.size() ? std::get_if<std::vector<std::int64_t>>(&shapes[index]) : nullptr;
  return dims == nullptr ? std::vector<std::int64_t>() : *dims;
}

std::vector<std::int64_t> IntegersOf(const c10::IValue& value) {
  if (value.isInt()) {
    return {value.toInt()};
  }
  if (value.isBool()) {
    return {value.toBool() ? 1 : 0};
  }
  if (value.isIntList()) {
    return value.toIntVector();
  }
  return {};
}

OperatorWork WorkOf(const kineto::KinetoEvent& event) {
  if (!event.hasShapes() || !event.hasTypes()) {
    return {};
  }
  std::vector<AtenArgument> arguments(event.dtypes().size());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    AtenArgument& argument = arguments[i];
    argument.tensor.element_byte_size = AtenElementByteSize(event.dtypes()[i]);
    argument.tensor.dims = DimsOf(event.structuredInputShapes(), i);
    argument.strides = DimsOf(event.structuredInputStrides(), i);
    if (event.hasConcreteInputs() && i < event.concreteInputs().size()) {
      argument.integers = IntegersOf(event.concreteInputs()[i]);
    }
  }
  return WorkOfAten(event.name(), arguments, event.flops());
}

constexpr std::string_view kMemoryEvent = "[memory]";  // Kineto's name of them

}  // namespace

class KinetoProfile::Execution {
 public:
  explicit Execution(KinetoProfile& profile) : profile_(profile), lock_(profile.executions_) {
    // Operators are recorded on all threads, allocations only where the profiler is the thread's.
    if (profile.running_ && profile.options_.memory) {
      memory_.emplace(c10::DebugInfoKind::PROFILER_STATE,
                      torch::profiler::impl::ProfilerStateBase::getGlobal());
    }
  }
  // The number of threads is the calling thread's own, from its first batch on.
  ~Execution() {
    const std::lock_guard lock(profile_.threads_mutex_);
    profile_.thread_count_ = std::max(profile_.thread_count_, at::get_num_threads());
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

 private:
  KinetoProfile& profile_;
  const std::shared_lock<std::shared_mutex> lock_;
  std::optional<c10::DebugInfoGuard> memory_;
};

Error KinetoProfile::Start(const ProfileOptions& options, std::shared_ptr<KinetoProfile>* profile) {
  if (recording.exchange(true)) {
    return Unavailable("another model of this process is being profiled");
  }
  // From here on its destructor ends what has begun.
  std::shared_ptr<KinetoProfile> started(new KinetoProfile(options));
  torch::profiler::impl::ExperimentalConfig experimental;
  experimental.profile_all_threads = true;
  const torch::profiler::impl::ProfilerConfig config(
      torch::profiler::impl::ProfilerState::KINETO, options.shapes,
      /*profile_memory=*/options.memory, /*with_stack=*/options.stack,
      /*with_flops=*/options.shapes, /*with_modules=*/false, experimental);
  std::set<torch::profiler::impl::ActivityType> activities = {
      torch::profiler::impl::ActivityType::CPU};
  if (at::hasCUDA()) {
    activities.insert(torch::profiler::impl::ActivityType::CUDA);
  }
  kineto::prepareProfiler(config, activities);
  kineto::enableProfiler(config, activities);
  *profile = std::move(started);
  return {};
}

KinetoProfile::~KinetoProfile() {
  if (running_) {
    OperatorProfile ignored;
    try {
      Finish(&ignored);
    } catch (const std::exception&) {
      recording.store(false);  // it had not begun
    }
  }
}

std::shared_ptr<KinetoProfile::Execution> KinetoProfile::Enter() {
  thread_local const std::int64_t self = syscall(SYS_gettid);
  {
    const std::lock_guard lock(threads_mutex_);
    threads_.insert(self);
  }
  return std::make_shared<Execution>(*this);
}

void KinetoProfile::Finish(OperatorProfile* profile) {
  const std::unique_lock executions(executions_);
  if (!running_) {
    return;
  }
  running_ = false;
  const std::unique_ptr<kineto::ProfilerResult> result = kineto::disableProfiler();
  recording.store(false);
  const std::int64_t offset = WallMinusMonotonic();
  profile->runtime = std::string("libtorch ") + TORCH_VERSION;
  profile->memory_note = options_.memory ? "allocated by the operators" : "";
  profile->work_note =
      options_.shapes
          ? ""
          : "flops and bytes of libtorch's operators come from their shapes, which were "
            "not asked for (shapes, --shapes)";
  const std::lock_guard lock(threads_mutex_);
  profile->threads = thread_count_;
  for (const kineto::KinetoEvent& event : result->events()) {
    const bool on_device = event.deviceType() != c10::DeviceType::CPU;
    const bool is_memory = event.name() == kMemoryEvent;
    const auto thread = static_cast<std::int64_t>(event.deviceResourceId());
    // Memory of a device, too, has the thread that allocated it.
    if ((is_memory || !on_device) && threads_.count(thread) == 0) {
      continue;
    }
    if (is_memory) {
      profile->Add(MemoryEvent{.time_ns = static_cast<std::int64_t>(event.startNs()) - offset,
                               .thread = thread,
                               .byte_size = event.nBytes(),
                               .on_device = on_device});
      continue;
    }
    const std::int64_t stack = event.hasStack() && !event.stack().empty()
                                   ? profile->StackIndex(StackText(event.stack()))
                                   : -1;
    OperatorEvent taken{.name = event.name(),
                        .kind = {},
                        .start_ns = static_cast<std::int64_t>(event.startNs()) - offset,
                        .duration_ns = static_cast<std::int64_t>(event.durationNs()),
                        .thread = thread,
                        .shapes = event.hasShapes() ? ShapesText(event.shapes()) : std::string(),
                        .work = WorkOf(event),
                        .byte_size = 0,
                        .stack = stack,
                        .on_device = on_device};
    profile->Add(std::move(taken));  // or marks the profile, which is full
  }
}

}  // namespace headrace::backend
