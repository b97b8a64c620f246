#include "pytorch/kineto_profile.h"

#include <ATen/Context.h>
#include <sys/syscall.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/version.h>
#include <unistd.h>

#include <atomic>
#include <sstream>
#include <utility>

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

}  // namespace

Error KinetoProfile::Start(const ProfileOptions& options, std::shared_ptr<KinetoProfile>* profile) {
  if (recording.exchange(true)) {
    return Unavailable("another model of this process is being profiled");
  }
  // From here on its destructor ends what has begun.
  std::shared_ptr<KinetoProfile> started(new KinetoProfile);
  torch::profiler::impl::ExperimentalConfig experimental;
  experimental.profile_all_threads = true;
  const torch::profiler::impl::ProfilerConfig config(
      torch::profiler::impl::ProfilerState::KINETO, options.shapes, /*profile_memory=*/false,
      /*with_stack=*/false, /*with_flops=*/options.shapes, /*with_modules=*/false, experimental);
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

void KinetoProfile::AddThisThread() {
  thread_local const std::int64_t self = syscall(SYS_gettid);
  const std::lock_guard lock(mutex_);
  threads_.insert(self);
}

void KinetoProfile::Finish(OperatorProfile* profile) {
  const std::lock_guard lock(mutex_);
  if (!running_) {
    return;
  }
  running_ = false;
  const std::unique_ptr<kineto::ProfilerResult> result = kineto::disableProfiler();
  recording.store(false);
  const std::int64_t offset = WallMinusMonotonic();
  profile->runtime = std::string("libtorch ") + TORCH_VERSION;
  for (const kineto::KinetoEvent& event : result->events()) {
    const bool on_device = event.deviceType() != c10::DeviceType::CPU;
    const auto thread = static_cast<std::int64_t>(event.deviceResourceId());
    if (!on_device && threads_.count(thread) == 0) {
      continue;
    }
    OperatorEvent taken{.name = event.name(),
                        .kind = {},
                        .start_ns = static_cast<std::int64_t>(event.startNs()) - offset,
                        .duration_ns = static_cast<std::int64_t>(event.durationNs()),
                        .thread = thread,
                        .shapes = event.hasShapes() ? ShapesText(event.shapes()) : std::string(),
                        .flops = event.flops(),
                        .on_device = on_device};
    if (!profile->Add(std::move(taken))) {
      break;
    }
  }
}

}  // namespace headrace::backend
