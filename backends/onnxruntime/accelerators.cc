#include "onnxruntime/accelerators.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace headrace::backend {
namespace {

using Renaming = std::pair<std::string_view, std::string_view>;

// Triton's names of TensorRT's options; the runtime's own begin with "trt_" and pass as they are.
constexpr std::array<Renaming, 3> kTensorRtNames = {{
    {"max_workspace_size_bytes", "trt_max_workspace_size"},
    {"int8_calibration_table_name", "trt_int8_calibration_table_name"},
    {"int8_use_native_calibration_table", "trt_int8_use_native_calibration_table"},
}};

// Values that Triton has as the numbers of an enumeration, and the runtime by name.
constexpr std::array<Renaming, 3> kConvolutionSearches = {
    {{"0", "EXHAUSTIVE"}, {"1", "HEURISTIC"}, {"2", "DEFAULT"}}};
constexpr std::array<Renaming, 2> kArenaStrategies = {
    {{"0", "kNextPowerOfTwo"}, {"1", "kSameAsRequested"}}};

template <std::size_t N>
const Renaming* Find(const std::array<Renaming, N>& renamings, std::string_view name) {
  const auto found = std::find_if(renamings.begin(), renamings.end(),
                                  [&](const Renaming& entry) { return entry.first == name; });
  return found == renamings.end() ? nullptr : &*found;
}

template <std::size_t N>
std::string Renamed(const std::array<Renaming, N>& renamings, const std::string& name) {
  const Renaming* found = Find(renamings, name);
  return found == nullptr ? name : std::string(found->second);
}

Error ReadPrecision(const std::string& precision, ProviderOptions* options) {
  if (precision == "FP16") {
    (*options)["trt_fp16_enable"] = "1";
  } else if (precision == "INT8") {
    (*options)["trt_int8_enable"] = "1";
  } else if (precision != "FP32") {
    return InvalidArgument(
        "unsupported precision mode '{}' is requested for the Execution Accelerator 'tensorrt'; it "
        "takes FP32, FP16 or INT8",
        precision);
  }
  return {};
}

Error ReadTensorRt(const AcceleratorConfig& accelerator, ProviderOptions* options) {
  for (const auto& [key, value] : accelerator.parameters) {
    if (key == "precision_mode") {
      HEADRACE_BACKEND_RETURN_IF_ERROR(ReadPrecision(value, options));
    } else if (Find(kTensorRtNames, key) != nullptr || key.starts_with("trt_")) {
      (*options)[Renamed(kTensorRtNames, key)] = value;
    } else {
      return InvalidArgument(
          "unknown parameter '{}' is provided for the Execution Accelerator 'tensorrt'", key);
    }
  }
  return {};
}

// The runtime knows which names are right, and names the one that is not.
ProviderOptions CudaOptions(const AcceleratorConfig& accelerator) {
  ProviderOptions options = accelerator.parameters;
  if (const auto it = options.find("cudnn_conv_algo_search"); it != options.end()) {
    it->second = Renamed(kConvolutionSearches, it->second);
  }
  if (const auto it = options.find("arena_extend_strategy"); it != options.end()) {
    it->second = Renamed(kArenaStrategies, it->second);
  }
  return options;
}

Error Unknown(const AcceleratorConfig& accelerator, std::string_view known) {
  return InvalidArgument("unknown Execution Accelerator '{}' is requested; it may be {}",
                         accelerator.name, known);
}

Error ReadGpu(const std::vector<AcceleratorConfig>& configured,
              std::vector<GpuProvider>* providers) {
  for (const AcceleratorConfig& accelerator : configured) {
    if (accelerator.name == "tensorrt") {
      GpuProvider provider{.kind = GpuProvider::Kind::kTensorRt, .options = {}};
      HEADRACE_BACKEND_RETURN_IF_ERROR(ReadTensorRt(accelerator, &provider.options));
      providers->push_back(std::move(provider));
    } else if (accelerator.name == "cuda") {
      providers->push_back({GpuProvider::Kind::kCuda, CudaOptions(accelerator)});
    } else {
      return Unknown(accelerator, "tensorrt or cuda on a GPU");
    }
  }
  // Nothing behind CUDA would be asked.
  const auto cuda = std::find_if(providers->begin(), providers->end(), [](const GpuProvider& p) {
    return p.kind == GpuProvider::Kind::kCuda;
  });
  if (cuda == providers->end()) {
    providers->emplace_back();
  } else {
    providers->erase(cuda + 1, providers->end());
  }
  return {};
}

}  // namespace

Error Accelerators::Read(const ModelConfig& config, Accelerators* accelerators) {
  for (const AcceleratorConfig& accelerator : config.cpu_accelerators) {
    if (accelerator.name != "openvino") {
      return Unknown(accelerator, "openvino on the CPU");
    }
    accelerators->openvino = accelerator.parameters;
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadGpu(config.gpu_accelerators, &accelerators->gpu));
  if (!config.gpu_accelerators.empty() && config.InstanceCount("KIND_GPU") == 0) {
    return Unsupported(
        "the Execution Accelerator '{}' needs a GPU, and the model has no instance_group of "
        "KIND_GPU "
        "(the server makes one by itself where it finds a GPU)",
        config.gpu_accelerators.front().name);
  }
  return {};
}

}  // namespace headrace::backend
