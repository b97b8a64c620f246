#include "openvino/settings.h"

#include <algorithm>
#include <array>
#include <openvino/runtime/properties.hpp>
#include <string_view>

#include "common/log.h"

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
    return InvalidArgument("parameter '{}' is '{}'; it takes yes or no", key, *text);
  }
  *value = *text == "yes" || *text == "YES";
  return {};
}

Error ReadPrecision(const ModelConfig& config, OpenVinoSettings* settings) {
  std::string precision = "f32";
  for (const char* kind : {"cpu_execution_accelerator", "gpu_execution_accelerator"}) {
    const auto name =
        config.Text(fmt::format("/optimization/execution_accelerators/{}/0/name", kind));
    if (name && *name != "auto_mixed_precision") {
      return Unsupported(
          "optimization.execution_accelerators.{} '{}': this backend knows auto_mixed_precision",
          kind, *name);
    }
    if (name) {
      precision = "bf16";
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

// One stream for each instance, so that instances run side by side; the threads are divided among
// them.
Error ReadStreams(const ModelConfig& config, OpenVinoSettings* settings) {
  std::int64_t instance_count = 1;
  if (const auto text = config.Text("/instance_group/0/count")) {
    instance_count = std::max<std::int64_t>(1, std::strtoll(text->c_str(), nullptr, 10));
  }
  if (config.FindParameter("NUM_STREAMS") == nullptr &&
      config.FindParameter("PERFORMANCE_HINT") == nullptr) {
    settings->properties[ov::num_streams.name()] = std::to_string(instance_count);
  }
  return {};
}

Error PassThrough(ov::Core& core, const ModelConfig& config, OpenVinoSettings* settings) {
  const auto supported = core.get_property(settings->device, ov::supported_properties);
  Error error;
  config.ForEachParameter([&](const std::string& key, const std::string& value) {
    if (!error.ok() ||
        std::find(kOwnParameters.begin(), kOwnParameters.end(), key) != kOwnParameters.end()) {
      return;
    }
    const auto found = std::find(supported.begin(), supported.end(), key);
    if (found != supported.end() && found->is_mutable()) {
      settings->properties[key] = value;
    } else {
      error = InvalidArgument(
          "parameter '{}' is neither one of this backend nor a property of device {}", key,
          settings->device);
    }
  });
  return error;
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
  bool skip_dynamic_batch = false;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      ReadYesNo(config, "SKIP_OV_DYNAMIC_BATCHSIZE", &skip_dynamic_batch));
  settings->dynamic_batch = !skip_dynamic_batch;
  for (const char* refused : {"RESHAPE_IO_LAYERS", "ENABLE_BATCH_PADDING"}) {
    bool wanted = false;
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadYesNo(config, refused, &wanted));
    if (wanted) {
      return Unsupported("parameter '{}' is not supported by this version", refused);
    }
  }
  if (const std::string* directory = config.FindParameter("MODEL_CACHE_DIR")) {
    settings->properties[ov::cache_dir.name()] = *directory;
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadPrecision(config, settings));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadStreams(config, settings));
  return PassThrough(core, config, settings);
}

}  // namespace headrace::backend
