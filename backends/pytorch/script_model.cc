#include "pytorch/script_model.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "common/log.h"
#include "pytorch/tensors.h"
#include "pytorch/torch_run.h"
#include "pytorch/vision_operators.h"

namespace headrace::backend {
namespace {

using torch::jit::Module;

constexpr const char* kMethod = "forward";

std::optional<c10::Device> DeviceOf(const Placement& placement) {
  switch (placement.kind) {
    case Placement::Kind::kModel:
      return std::nullopt;
    case Placement::Kind::kGpu:
      return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(placement.gpu));
    case Placement::Kind::kCpu:
      break;
  }
  return c10::Device(c10::DeviceType::CPU);
}

Module ReadModule(const std::string& path, const Placement& placement, bool optimize) {
  Module module = torch::jit::load(path, DeviceOf(placement));
  module.eval();
  if (optimize) {
    const at::AutoGradMode no_gradients(false);
    module = torch::jit::freeze(module);
    module = torch::jit::optimize_for_inference(module);
  }
  return module;
}

bool SetsAttributes(const torch::jit::Block* block) {
  for (const torch::jit::Node* node : block->nodes()) {
    if (node->kind() == c10::prim::SetAttr) {
      return true;
    }
    for (const torch::jit::Block* inner : node->blocks()) {
      if (SetsAttributes(inner)) {
        return true;
      }
    }
  }
  return false;
}

// True if the model may write into its inputs, or keep them for the next call: requests' memory
// must not be lent to it.
bool KeepsInputs(const Module& module) {
  const std::shared_ptr<torch::jit::Graph> graph = module.get_method(kMethod).graph()->copy();
  torch::jit::Inline(*graph);
  if (SetsAttributes(graph->block())) {
    return true;
  }
  const torch::jit::AliasDb aliases(graph);
  const auto inputs = graph->inputs().slice(1);  // without the module itself
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const torch::jit::Value* input) { return aliases.hasWriters(input); });
}

// A module that has the parameters of `module` and its own attributes: assignments to them, and
// with `own_buffers` what is written into buffers, are this copy's alone. `copied` holds what was
// copied already, because a module may be in several places.
Module CopyAttributes(const Module& module, bool own_buffers,
                      std::unordered_map<const void*, Module>& copied) {
  const void* const identity = module._ivalue().get();
  if (const auto found = copied.find(identity); found != copied.end()) {
    return found->second;
  }
  Module copy = module.copy();
  copied.emplace(identity, copy);
  for (std::size_t slot = 0; slot < copy.type()->numAttributes(); ++slot) {
    const c10::IValue value = copy._ivalue()->getSlot(slot);
    if (copy.type()->getAttribute(slot)->is_module()) {
      copy._ivalue()->setSlot(
          slot, CopyAttributes(Module(value.toObject()), own_buffers, copied)._ivalue());
    } else if (own_buffers && value.isTensor() && value.toTensor().defined() &&
               !copy.type()->is_parameter(slot)) {
      copy._ivalue()->setSlot(slot, value.toTensor().clone());
    }
  }
  return copy;
}

// Of a model with the parameter DETECTIONS.
class DetectionRun final : public TorchRun {
 public:
  DetectionRun(const ModelTensors& tensors, const PyTorchSettings& settings,
               const Placement& placement, const DetectionCall& call, Module module,
               bool keeps_inputs)
      : TorchRun(tensors, settings, placement, /*batches=*/true),
        call_(call),
        optimized_(settings.optimized_execution),
        module_(std::move(module)),
        forward_(module_.get_method(kMethod)) {
    if (keeps_inputs) {
      set_copies_inputs();
    }
  }

 private:
  Error Call(std::vector<c10::IValue>& inputs, const std::vector<bool>& wanted,
             std::vector<c10::IValue>* outputs) override {
    const at::Tensor images = std::move(inputs[0]).toTensor();
    const torch::jit::GraphOptimizerEnabledGuard optimized(optimized_);
    return call_.Outputs(forward_(call_.Arguments(images)), images.size(0), wanted, outputs);
  }

  const DetectionCall& call_;
  const bool optimized_;
  Module module_;
  torch::jit::Method forward_;
};

class ScriptRun final : public TorchRun {
 public:
  ScriptRun(const ModelTensors& tensors, const PyTorchSettings& settings,
            const Placement& placement, bool batches, const ScriptCall& call, Module module,
            bool keeps_inputs)
      : TorchRun(tensors, settings, placement, batches),
        call_(call),
        optimized_(settings.optimized_execution),
        module_(std::move(module)),
        forward_(module_.get_method(kMethod)) {
    if (keeps_inputs) {
      set_copies_inputs();
    }
  }

  Error OmitInput(std::size_t index) override { return call_.CheckOmitted(index); }

 private:
  Error Call(std::vector<c10::IValue>& inputs, const std::vector<bool>& wanted,
             std::vector<c10::IValue>* outputs) override {
    HEADRACE_BACKEND_RETURN_IF_ERROR(call_.Arguments(inputs, &arguments_));
    const torch::jit::GraphOptimizerEnabledGuard optimized(optimized_);
    const c10::IValue answer = forward_(std::move(arguments_));
    return call_.Outputs(answer, wanted, outputs);
  }

  const ScriptCall& call_;
  const bool optimized_;
  Module module_;
  torch::jit::Method forward_;
  std::vector<c10::IValue> arguments_;
};

TensorInfo InfoOf(const TensorConfig& tensor, bool batches) {
  return {tensor.name, tensor.dtype, tensor.CallShape(batches)};
}

}  // namespace

Error ScriptModel::Load(const std::string& path, const ModelConfig& config,
                        const PyTorchSettings& settings, std::unique_ptr<TorchModel>* model) {
  return GuardedTorch("the TorchScript file does not load", [&]() -> Error {
    RegisterVisionOperators();
    std::unique_ptr<ScriptModel> loaded(new ScriptModel(path, settings));
    Module module = ReadModule(path, Placement{}, settings.optimize_for_inference);
    const auto method = module.find_method(kMethod);
    if (!method) {
      return InvalidArgument("the TorchScript model has no method '{}'", kMethod);
    }
    const c10::FunctionSchema& schema = method->function().getSchema();
    if (settings.detections && config.max_batch_size < 1) {
      return InvalidArgument("a model with DETECTIONS needs a max_batch_size of at least 1");
    }
    HEADRACE_BACKEND_RETURN_IF_ERROR(settings.detections
                                         ? DetectionCall::Plan(schema, config, &loaded->detections_)
                                         : ScriptCall::Plan(schema, config, &loaded->call_));
    CallTensors inputs;
    HEADRACE_BACKEND_RETURN_IF_ERROR(CallTensors::InputsOf(config, &inputs));
    for (const TensorConfig& input : inputs.All()) {
      loaded->tensors_.inputs.push_back(InfoOf(input, config.max_batch_size > 0));
    }
    for (const TensorConfig& output : CallTensors::OutputsOf(config).All()) {
      loaded->tensors_.outputs.push_back(InfoOf(output, config.max_batch_size > 0));
    }
    loaded->keeps_inputs_ = KeepsInputs(module);
    loaded->modules_.emplace(Placement{}, std::move(module));
    *model = std::move(loaded);
    return {};
  });
}

Module ScriptModel::ModuleOn(const Placement& placement) {
  const std::lock_guard lock(mutex_);
  if (settings_.weight_sharing == WeightSharing::kNothing && placement == Placement{} &&
      std::exchange(cpu_used_, true)) {
    return ReadModule(path_, placement, settings_.optimize_for_inference);
  }
  cpu_used_ = cpu_used_ || placement == Placement{};
  if (!cpu_used_) {
    modules_.erase(Placement{});  // it was read for its signature; the weights are wanted elsewhere
  }
  auto found = modules_.find(placement);
  if (found == modules_.end()) {
    Module module = ReadModule(path_, placement, settings_.optimize_for_inference);
    if (settings_.weight_sharing == WeightSharing::kNothing) {
      return module;
    }
    found = modules_.emplace(placement, std::move(module)).first;
  }
  if (settings_.weight_sharing == WeightSharing::kNothing) {
    return found->second;
  }
  std::unordered_map<const void*, Module> copied;
  return CopyAttributes(found->second, settings_.weight_sharing == WeightSharing::kParameters,
                        copied);
}

Error ScriptModel::NewRun(const Placement& placement, const ModelConfig& config, int thread_count,
                          std::unique_ptr<RuntimeRun>* run) {
  return GuardedTorch("the TorchScript model cannot be placed", [&]() -> Error {
    if (settings_.detections) {
      *run =
          std::make_unique<DetectionRun>(tensors_, settings_.WithThreads(thread_count), placement,
                                         detections_, ModuleOn(placement), keeps_inputs_);
      return {};
    }
    *run = std::make_unique<ScriptRun>(tensors_, settings_.WithThreads(thread_count), placement,
                                       config.max_batch_size > 0, call_, ModuleOn(placement),
                                       keeps_inputs_);
    return {};
  });
}

}  // namespace headrace::backend
