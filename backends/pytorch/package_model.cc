#include "pytorch/package_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <functional>
#include <numeric>
#include <utility>

#include "common/log.h"
#include "pytorch/call_spec.h"
#include "pytorch/call_tensors.h"
#include "pytorch/process_settings.h"
#include "pytorch/tensor_naming.h"
#include "pytorch/tensors.h"
#include "pytorch/torch_run.h"
#include "pytorch/torch_version.h"

namespace headrace::backend {
namespace {

constexpr std::int64_t kAnyDevice = -1;
constexpr std::int64_t kProbeElementsMax = std::int64_t{1} << 26;

using Loader = torch::inductor::AOTIModelPackageLoader;

class PackageRun final : public TorchRun {
 public:
  PackageRun(const ModelTensors& tensors, const PyTorchSettings& settings,
             const Placement& placement, bool batches, const PackageSource& source,
             std::span<const std::string> names, Loader& loader)
      : TorchRun(tensors, settings, placement, batches), check_(source, names), loader_(loader) {}

  void BeginBatch(std::int64_t row_count) override {
    TorchRun::BeginBatch(row_count);
    check_.Reset();
  }

 private:
  Error CheckInput(std::size_t index, std::span<const std::int64_t> shape) override {
    return check_.Check(index, shape);
  }

  Error Call(std::vector<c10::IValue>& inputs, const std::vector<bool>& wanted,
             std::vector<c10::IValue>* outputs) override {
    std::vector<at::Tensor> tensors;
    tensors.reserve(inputs.size());
    for (c10::IValue& input : inputs) {
      tensors.push_back(std::move(input).toTensor());
    }
    std::vector<at::Tensor> answers = loader_.run(tensors);
    if (answers.size() != outputs->size()) {
      return Internal("the package answered with {} tensors instead of {}", answers.size(),
                      outputs->size());
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
      (*outputs)[i] = std::move(answers[i]);
    }
    return {};
  }

  PackageShapeCheck check_;
  Loader& loader_;
};

std::string IndexedName(const char* stem, std::size_t index) {
  return fmt::format("{}__{}", stem, index);
}

std::vector<std::int64_t> ShapeOf(const PackageInput& input) {
  std::vector<std::int64_t> shape;
  for (const PackageDim& dim : input.dims) {
    shape.push_back(dim.extent);
  }
  return shape;
}

// What the configuration says of a tensor, as the model would say it.
TensorInfo InfoOf(const TensorConfig& tensor, bool batches) {
  return {tensor.name, tensor.dtype, tensor.CallShape(batches)};
}

// Gives tensors the names of the configuration, and those that the file tells nothing of its types.
Error TakeNames(const CallPlaces& places, const CallTensors& tensors, bool batches,
                std::span<const bool> told, std::vector<TensorInfo>* infos) {
  std::vector<std::size_t> assigned;
  HEADRACE_BACKEND_RETURN_IF_ERROR(tensors.Assign(places, &assigned));
  const std::vector<TensorConfig> configured = tensors.All();
  for (std::size_t i = 0; i < configured.size(); ++i) {
    TensorInfo& info = (*infos)[assigned[i]];
    if (told[assigned[i]]) {
      info.name = configured[i].name;
    } else {
      info = InfoOf(configured[i], batches);
    }
  }
  return {};
}

// The CPU must have what the code was compiled for; it would end the process otherwise.
bool CpuHas(std::string_view instruction_sets) {
  struct Feature {
    const char* name;
    bool present;
  };
  __builtin_cpu_init();
  const Feature features[] = {
      {"AVX512_VNNI", __builtin_cpu_supports("avx512vnni") != 0},
      {"AVX512", __builtin_cpu_supports("avx512f") != 0},
      {"AVX2", __builtin_cpu_supports("avx2") != 0},
  };
  for (const Feature& feature : features) {
    if (instruction_sets.find(feature.name) != std::string_view::npos && !feature.present) {
      return false;
    }
  }
  return true;
}

std::unique_ptr<Loader> MakeLoader(const std::string& path, const std::string& model_name,
                                   int runners, std::int64_t device) {
#if HEADRACE_TORCH_AT_LEAST(2, 8)
  return std::make_unique<Loader>(path, model_name, /*run_single_threaded=*/false,
                                  static_cast<std::size_t>(runners),
                                  static_cast<c10::DeviceIndex>(device));
#else
  if (runners > 1 || device > 0) {
    HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_WARN,
                         "'{}': before PyTorch 2.8 a package has one runner, on the first device; "
                         "its instances take turns",
                         path);
  }
  return std::make_unique<Loader>(path, model_name, /*run_single_threaded=*/false);
#endif
}

}  // namespace

PackageModel::PackageModel(std::string path, Archive archive, const PyTorchSettings& settings)
    : path_(std::move(path)),
      model_name_(std::move(archive.model_name)),
      cpu_(archive.metadata["AOTI_CPU_ISA"]),
      settings_(settings),
      source_(PackageSource::Read(archive.source)),
      for_gpu_(archive.metadata["AOTI_DEVICE_KEY"] == "cuda") {}

Error PackageModel::Load(const std::string& path, Archive archive, const ModelConfig& config,
                         const PyTorchSettings& settings, std::unique_ptr<TorchModel>* model) {
  return GuardedTorch("the package does not load", [&]() -> Error {
    std::unique_ptr<PackageModel> loaded(new PackageModel(path, std::move(archive), settings));
    HEADRACE_BACKEND_RETURN_IF_ERROR(loaded->CheckPlatform());
    Placement first;
    if (loaded->for_gpu_) {
      first.kind = Placement::Kind::kGpu;
    }
    Loader* loader = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(loaded->LoaderOn(first, &loader));
    const std::vector<std::string> spec = loader->get_call_spec();
    if (spec.size() != 2) {
      return InvalidArgument("the package has a call specification of {} parts", spec.size());
    }
    std::vector<std::string> input_paths;
    std::vector<std::string> output_paths;
    HEADRACE_BACKEND_RETURN_IF_ERROR(InputPaths(spec[0], &input_paths));
    HEADRACE_BACKEND_RETURN_IF_ERROR(OutputPaths(spec[1], &output_paths));
    HEADRACE_BACKEND_RETURN_IF_ERROR(loaded->DescribeInputs(input_paths, config));
    HEADRACE_BACKEND_RETURN_IF_ERROR(loaded->DescribeOutputs(output_paths, config, *loader));
    *model = std::move(loaded);
    return {};
  });
}

Error PackageModel::CheckPlatform() const {
  if (for_gpu_) {
    if (Error error = CheckDevices(); !error.ok()) {
      return Unsupported("the package was compiled for CUDA: {}; compile it for the CPU",
                         error.message());
    }
  }
  if (!CpuHas(cpu_)) {
    return Unsupported("the package was compiled for a CPU with {}, which this one lacks", cpu_);
  }
  return {};
}

Error PackageModel::LoaderOn(const Placement& placement, Loader** loader) {
  const bool on_gpu = placement.kind == Placement::Kind::kGpu;
  if (on_gpu != for_gpu_) {
    return Unsupported("the package was compiled for {}; set instance_group kind {}",
                       for_gpu_ ? "a GPU" : "the CPU", for_gpu_ ? "KIND_GPU" : "KIND_CPU");
  }
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Loader>& kept = loaders_[placement];
  if (kept == nullptr) {
    const int runners = on_gpu ? settings_.instances_per_gpu : settings_.cpu_instances;
    kept = MakeLoader(path_, model_name_, runners, on_gpu ? placement.gpu : kAnyDevice);
  }
  *loader = kept.get();
  return {};
}

Error PackageModel::DescribeInputs(const std::vector<std::string>& paths,
                                   const ModelConfig& config) {
  const std::size_t count = source_.inputs.empty() ? paths.size() : source_.inputs.size();
  source_.inputs.resize(count);
  // Leaves that were constants when the model was exported are no inputs any more, and then the
  // paths do not tell which is which.
  const CallPlaces places{.what = "input",
                          .names = paths.size() == count ? paths : std::vector<std::string>(),
                          .count = count};
  auto told = std::make_unique<bool[]>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const PackageInput& input = source_.inputs[i];
    told[i] = input.dtype != TRITONSERVER_TYPE_INVALID && input.rank_known;
    tensors_.inputs.push_back({IndexedName("INPUT", i), input.dtype, ShapeOf(input)});
  }
  CallTensors inputs;
  HEADRACE_BACKEND_RETURN_IF_ERROR(CallTensors::InputsOf(config, &inputs));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      TakeNames(places, inputs, config.max_batch_size > 0, {told.get(), count}, &tensors_.inputs));
  for (const TensorInfo& info : tensors_.inputs) {
    if (info.dtype == TRITONSERVER_TYPE_INVALID) {
      return InvalidArgument(
          "model configuration must list the inputs {}: the package does not tell their types",
          AllowedNames(places));
    }
    input_names_.push_back(info.name);
  }
  return {};
}

Error PackageModel::DescribeOutputs(const std::vector<std::string>& paths,
                                    const ModelConfig& config, Loader& loader) {
  std::vector<TensorInfo> probed;
  if (Error error = GuardedTorch("call with zeros", [&] { return Probe(loader, &probed); });
      !error.ok()) {
    HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_INFO, "'{}' does not tell its outputs: {}", path_,
                         error.message());
    probed.clear();
  }
  const bool told = !probed.empty();
  const std::size_t count =
      told ? probed.size() : (source_.output_count != 0 ? source_.output_count : paths.size());
  const CallPlaces places{.what = "output",
                          .names = paths.size() == count ? paths : std::vector<std::string>(),
                          .count = count};
  probed.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    probed[i].name = IndexedName("OUTPUT", i);
  }
  tensors_.outputs = std::move(probed);
  auto all_told = std::make_unique<bool[]>(count);
  std::fill_n(all_told.get(), count, told);
  HEADRACE_BACKEND_RETURN_IF_ERROR(TakeNames(places, CallTensors::OutputsOf(config),
                                             config.max_batch_size > 0, {all_told.get(), count},
                                             &tensors_.outputs));
  if (config.outputs.empty() && !told) {
    return InvalidArgument(
        "model configuration must list the outputs {}: the package does not tell their types",
        AllowedNames(places));
  }
  return {};
}

Error PackageModel::Probe(Loader& loader, std::vector<TensorInfo>* outputs) {
  if (!source_.CanBeProbed()) {
    return {};
  }
  const at::AutoGradMode no_gradients(false);
  const c10::InferenceMode inference(true);
  UseThreads(settings_.intra_op_threads);
  const c10::Device device(for_gpu_ ? c10::DeviceType::CUDA : c10::DeviceType::CPU,
                           static_cast<c10::DeviceIndex>(for_gpu_ ? 0 : -1));
  const auto call = [&](const std::vector<std::vector<std::int64_t>>& shapes) {
    std::vector<at::Tensor> inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      inputs.push_back(at::zeros(
          shapes[i],
          at::TensorOptions().dtype(*TorchFromDataType(source_.inputs[i].dtype)).device(device)));
    }
    return loader.run(inputs);
  };
  const auto shapes = source_.ProbeShapes(0);
  for (const auto& shape : shapes) {
    // Extents of a few; only a model with constants beyond all bounds has more.
    double elements = std::accumulate(shape.begin(), shape.end(), 1.0, std::multiplies<>());
    if (elements > static_cast<double>(kProbeElementsMax)) {
      return {};
    }
  }
  for (const at::Tensor& answer : call(shapes)) {
    outputs->push_back({"", DataTypeFromTorch(answer.scalar_type()), answer.sizes().vec()});
  }
  if (const auto larger = source_.ProbeShapes(1); !larger.empty() && larger != shapes) {
    const std::vector<at::Tensor> answers = call(larger);
    for (std::size_t i = 0; i < std::min(answers.size(), outputs->size()); ++i) {
      std::vector<std::int64_t>& shape = (*outputs)[i].shape;
      for (std::size_t k = 0; k < shape.size(); ++k) {
        if (k < answers[i].sizes().size() && answers[i].sizes()[k] != shape[k]) {
          shape[k] = -1;
        }
      }
    }
  }
  return {};
}

Error PackageModel::NewRun(const Placement& placement, const ModelConfig& config, int thread_count,
                           std::unique_ptr<RuntimeRun>* run) {
  return GuardedTorch("the package cannot be placed", [&]() -> Error {
    Loader* loader = nullptr;
    Placement where = placement;
    if (placement.kind == Placement::Kind::kModel) {
      where.kind = for_gpu_ ? Placement::Kind::kGpu : Placement::Kind::kCpu;
    }
    HEADRACE_BACKEND_RETURN_IF_ERROR(LoaderOn(where, &loader));
    *run = std::make_unique<PackageRun>(tensors_, settings_.WithThreads(thread_count), where,
                                        config.max_batch_size > 0, source_, input_names_, *loader);
    return {};
  });
}

}  // namespace headrace::backend
