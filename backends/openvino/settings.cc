#include "openvino/settings.h"

#include <algorithm>
#include <array>
#include <openvino/runtime/properties.hpp>
#include <string_view>

#include "common/log.h"
#include "openvino/model_cache.h"

namespace headrace::backend {
namespace {

// Parameters of the backend itself.
constexpr std::array<std::string_view, 8> kOwnParameters = {
    "TARGET_DEVICE",   "CPU_EXTENSION_PATH",        "HINT_BF16",         "inference_precision",
    "MODEL_CACHE_DIR", "SKIP_OV_DYNAMIC_BATCHSIZE", "RESHAPE_IO_LAYERS", "ENABLE_BATCH_PADDING"};

Error ReadYesNo(const ModelConfig& config, const char* key, bool* value) {
  const std::string* text = config.FindParameter(key);
  if (text == nullptr) {
    return {};
  }
  if (*text != "yes" && *text != "no" && *text != "YES" && *text != "NO") {
    return InvalidArgument("parameter '{}' is '{}'; it takes YES or NO", key, *text);
  }
  *value = *text == "yes" || *text == "YES";
  return {};
}

Error ReadPrecision(const ModelConfig& config, OpenVinoSettings* settings) {
  std::string precision = "f32";
  for (const auto* accelerators : {&config.cpu_accelerators, &config.gpu_accelerators}) {
    for (const AcceleratorConfig& accelerator : *accelerators) {
      if (accelerator.name == "auto_mixed_precision") {
        precision = "bf16";
      } else if (accelerator.name != "openvino") {
        return InvalidArgument(
            "unknown Execution Accelerator '{}' is requested; this backend knows "
            "auto_mixed_precision",
            accelerator.name);
      }
    }
  }
  bool hint_bf16 = false;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadYesNo(config, "HINT_BF16", &hint_bf16));
  if (hint_bf16) {
    precision = "bf16";
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("inference_precision", &precision));
  if (precision != "f32" && precision != "f16" && precision != "bf16") {
    return InvalidArgument("parameter 'inference_precision' is '{}'; it takes f32, f16 or bf16",
                           precision);
  }
  settings->properties[ov::hint::inference_precision.name()] = precision;
  return {};
}

void ReadStreams(const ModelConfig& config, OpenVinoSettings* settings) {
  if (config.FindParameter("NUM_STREAMS") == nullptr &&
      config.FindParameter("PERFORMANCE_HINT") == nullptr) {
    settings->properties[ov::num_streams.name()] = std::to_string(config.InstanceCount());
  }
}

Error ReadCache(const ModelConfig& config, OpenVinoSettings* settings) {
  const std::string* directory = config.FindParameter("MODEL_CACHE_DIR");
  if (directory == nullptr || directory->empty()) {
    return {};
  }
  std::string place;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ModelCacheDirectory(*directory, &place));
  settings->properties[ov::cache_dir.name()] = place;
  return {};
}

void PassThrough(ov::Core& core, const ModelConfig& config, OpenVinoSettings* settings) {
  const auto supported = core.get_property(settings->device, ov::supported_properties);
  config.ForEachParameter([&](const std::string& key, const std::string& value) {
    if (std::find(kOwnParameters.begin(), kOwnParameters.end(), key) != kOwnParameters.end()) {
      return;
    }
    const auto found = std::find(supported.begin(), supported.end(), key);
    if (found != supported.end() && found->is_mutable()) {
      settings->properties[key] = value;
    } else {
      HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_WARN,
                           "parameter '{}' has no effect: it is neither one of this backend nor a "
                           "property of device {}",
                           key, settings->device);
    }
  });
}

}  // namespace

Error OpenVinoSettings::Read(ov::Core& core, const ModelConfig& config,
                             OpenVinoSettings* settings) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("TARGET_DEVICE", &settings->device));
  const auto devices = core.get_available_devices();
  if (std::find(devices.begin(), devices.end(), settings->device) == devices.end()) {
    return Unsupported("parameter 'TARGET_DEVICE' is '{}'; the runtime has {}", settings->device,
                       fmt::join(devices, ", "));
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      config.GetParameter("CPU_EXTENSION_PATH", &settings->extension_path));
  bool skip_variable_batch = false;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      ReadYesNo(config, "SKIP_OV_DYNAMIC_BATCHSIZE", &skip_variable_batch));
  settings->variable_batch = !skip_variable_batch;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      ReadYesNo(config, "ENABLE_BATCH_PADDING", &settings->pad_batches));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      ReadYesNo(config, "RESHAPE_IO_LAYERS", &settings->reshape_to_config));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadCache(config, settings));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadPrecision(config, settings));
  ReadStreams(config, settings);
  PassThrough(core, config, settings);
  return {};
}

}  // namespace headrace::backend
