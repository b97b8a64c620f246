#include "pytorch/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "common/log.h"

namespace headrace::backend {
namespace {

constexpr std::int64_t kThreadCountMax = 1024;
constexpr int kInstanceCountMax = 4096;

constexpr std::array<std::string_view, 15> kParameters = {"INFERENCE_MODE",
                                                          "DISABLE_OPTIMIZED_EXECUTION",
                                                          "DISABLE_CUDNN",
                                                          "ENABLE_WEIGHT_SHARING",
                                                          "ENABLE_CACHE_CLEANING",
                                                          "OPTIMIZE_FOR_INFERENCE",
                                                          "INTRA_OP_THREAD_COUNT",
                                                          "INTER_OP_THREAD_COUNT",
                                                          "NUM_THREADS",
                                                          "NUM_INTEROP_THREADS",
                                                          "ENABLE_JIT_EXECUTOR",
                                                          "ENABLE_JIT_PROFILING",
                                                          "ENABLE_TENSOR_FUSER",
                                                          "TORCH_COMPILE_OPTIONAL_PARAMETERS",
                                                          "DETECTIONS"};

Error ReadFlag(const ModelConfig& config, const char* key, std::optional<bool>* flag) {
  if (config.FindParameter(key) != nullptr) {
    return config.GetParameter(key, &flag->emplace());
  }
  return {};
}

// A thread count that goes by either of two names.
Error ReadThreads(const ModelConfig& config, const char* name, const char* other,
                  std::optional<int>* threads) {
  for (const char* key : {name, other}) {
    if (config.FindParameter(key) == nullptr) {
      continue;
    }
    std::int64_t count = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter(key, &count));
    if (count < 1 || count > kThreadCountMax) {
      return InvalidArgument("parameter '{}' is {}; it takes a number from 1 to {}", key, count,
                             kThreadCountMax);
    }
    if (*threads && **threads != count) {
      return InvalidArgument("parameters '{}' and '{}' mean the same and differ: {} and {}", name,
                             other, **threads, count);
    }
    *threads = static_cast<int>(count);
  }
  return {};
}

Error ReadWeightSharing(const ModelConfig& config, WeightSharing* sharing) {
  std::optional<bool> everything;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(config, "ENABLE_WEIGHT_SHARING", &everything));
  if (everything) {
    *sharing = *everything ? WeightSharing::kEverything : WeightSharing::kNothing;
  }
  return {};
}

void CountInstances(const ModelConfig& config, PyTorchSettings* settings) {
  const auto bounded = [](std::int64_t count) {
    return static_cast<int>(std::clamp<std::int64_t>(count, 1, kInstanceCountMax));
  };
  const std::int64_t per_gpu = config.InstanceCount("KIND_GPU");
  settings->cpu_instances = bounded(config.InstanceCount() - per_gpu);
  settings->instances_per_gpu = bounded(per_gpu);
}

}  // namespace

Error PyTorchSettings::Read(const ModelConfig& config, int core_count, PyTorchSettings* settings) {
  PyTorchSettings read;
  CountInstances(config, &read);
  HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("INFERENCE_MODE", &read.inference_mode));
  std::optional<bool> disabled;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(config, "DISABLE_OPTIMIZED_EXECUTION", &disabled));
  read.optimized_execution = !disabled.value_or(false);
  disabled.reset();
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(config, "DISABLE_CUDNN", &disabled));
  if (disabled) {
    read.cudnn = !*disabled;
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("ENABLE_CACHE_CLEANING", &read.clean_cache));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      config.GetParameter("OPTIMIZE_FOR_INFERENCE", &read.optimize_for_inference));
  HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("DETECTIONS", &read.detections));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadWeightSharing(config, &read.weight_sharing));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(config, "ENABLE_JIT_EXECUTOR", &read.jit_executor));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(config, "ENABLE_JIT_PROFILING", &read.jit_profiling));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(config, "ENABLE_TENSOR_FUSER", &read.tensor_fuser));
  std::optional<int> intra_op;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      ReadThreads(config, "INTRA_OP_THREAD_COUNT", "NUM_THREADS", &intra_op));
  read.default_threads = !intra_op.has_value();
  read.intra_op_threads = intra_op.value_or(std::max(1, core_count / read.cpu_instances));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      ReadThreads(config, "INTER_OP_THREAD_COUNT", "NUM_INTEROP_THREADS", &read.inter_op_threads));
  config.ForEachParameter([](const std::string& key, const std::string&) {
    if (std::find(kParameters.begin(), kParameters.end(), key) == kParameters.end()) {
      HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_WARN,
                           "parameter '{}' means nothing to the pytorch backend", key);
    }
  });
  *settings = read;
  return {};
}

PyTorchSettings PyTorchSettings::WithThreads(int thread_count) const {
  PyTorchSettings settings = *this;
  if (default_threads && thread_count > 0) {
    settings.intra_op_threads = thread_count;
  }
  return settings;
}

}  // namespace headrace::backend
