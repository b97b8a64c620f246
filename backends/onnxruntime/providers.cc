#include "onnxruntime/providers.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>

namespace headrace::backend {
namespace {

bool HasProvider(const char* name) {
  const std::vector<std::string> available = Ort::GetAvailableProviders();
  return std::find(available.begin(), available.end(), name) != available.end();
}

// Options as the C interface takes them, with the device among them.
class OptionList {
 public:
  OptionList(const ProviderOptions& options, std::int64_t gpu) : options_(options) {
    options_["device_id"] = std::to_string(gpu);
    for (const auto& [key, value] : options_) {
      keys_.push_back(key.c_str());
      values_.push_back(value.c_str());
    }
  }
  const char* const* keys() const { return keys_.data(); }
  const char* const* values() const { return values_.data(); }
  std::size_t size() const { return keys_.size(); }

 private:
  ProviderOptions options_;
  std::vector<const char*> keys_;
  std::vector<const char*> values_;
};

void AppendCuda(const OptionList& list, Ort::SessionOptions& session) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&made));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> options(
      made, api.ReleaseCUDAProviderOptions);
  Ort::ThrowOnError(
      api.UpdateCUDAProviderOptions(options.get(), list.keys(), list.values(), list.size()));
  session.AppendExecutionProvider_CUDA_V2(*options);
}

void AppendTensorRt(const OptionList& list, Ort::SessionOptions& session) {
  const OrtApi& api = Ort::GetApi();
  OrtTensorRTProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&made));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)>
      options(made, api.ReleaseTensorRTProviderOptions);
  Ort::ThrowOnError(
      api.UpdateTensorRTProviderOptions(options.get(), list.keys(), list.values(), list.size()));
  session.AppendExecutionProvider_TensorRT_V2(*options);
}

}  // namespace

bool HasOpenVinoProvider() { return HasProvider("OpenVINOExecutionProvider"); }

void AppendOpenVino(const ProviderOptions& options, Ort::SessionOptions& session) {
  std::unordered_map<std::string, std::string> all(options.begin(), options.end());
  all.try_emplace("device_type", "CPU");
  session.AppendExecutionProvider("OpenVINO", all);
}

Error AppendGpu(const std::vector<GpuProvider>& providers, std::int64_t gpu,
                Ort::SessionOptions& session) {
  for (const GpuProvider& provider : providers) {
    const bool tensorrt = provider.kind == GpuProvider::Kind::kTensorRt;
    const char* const name = tensorrt ? "TensorrtExecutionProvider" : "CUDAExecutionProvider";
    if (!HasProvider(name)) {
      return Unsupported(
          "{} needs ONNX Runtime's {}; this library, {}, has {}: install the wheel "
          "onnxruntime-gpu, or "
          "use KIND_CPU",
          tensorrt ? "the Execution Accelerator 'tensorrt'" : "an instance of KIND_GPU", name,
          Ort::GetVersionString(), fmt::join(Ort::GetAvailableProviders(), ", "));
    }
    const OptionList list(provider.options, gpu);
    if (tensorrt) {
      AppendTensorRt(list, session);
    } else {
      AppendCuda(list, session);
    }
  }
  return {};
}

}  // namespace headrace::backend
