#include "engine/ensemble_plan.h"

#include <algorithm>
#include <map>
#include <set>

namespace headrace::engine {
namespace {

bool Fits(const Shape& dims, std::span<const std::int64_t> shape) {
  return dims.rank() == shape.size() &&
         std::equal(dims.begin(), dims.end(), shape.begin(),
                    [](std::int64_t dim, std::int64_t got) { return dim < 0 || dim == got; });
}

// Whether some shape fits both.
bool Agree(const Shape& a, const Shape& b) {
  return a.rank() == b.rank() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](std::int64_t x, std::int64_t y) { return x < 0 || y < 0 || x == y; });
}

// What one model says about a tensor of the ensemble.
struct Claim {
  std::string model;
  DataType dtype;
  Shape dims, full_dims;  // without and with the batch dimension
};

class Checker {
 public:
  Checker(const EnsembleSpec& spec, const ModelSignature& signature,
          const std::vector<ComposingSignature>& models)
      : spec_(spec), signature_(signature), models_(models) {}

  Status Check() {
    for (const TensorSpec& input : signature_.inputs) {
      HEADRACE_RETURN_IF_ERROR(Add(input.name, spec_.name, input, signature_));
    }
    for (const TensorSpec& output : signature_.outputs) {
      HEADRACE_RETURN_IF_ERROR(Add(output.name, spec_.name, output, signature_));
    }
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      HEADRACE_RETURN_IF_ERROR(CheckStep(spec_.steps[i], *models_[i].signature));
    }
    return OkStatus();
  }

 private:
  Status CheckStep(const EnsembleStepSpec& step, const ModelSignature& model) {
    if (model.batch_size_max > 0 && signature_.batch_size_max > model.batch_size_max) {
      return InvalidArgument(
          "ensemble {} allows maximum batch size {}, but it contains model {} which only allows "
          "maximum batch size to be {}",
          spec_.name, signature_.batch_size_max, step.model, model.batch_size_max);
    }
    std::set<std::string> mapped;
    for (const auto& [name, tensor] : step.inputs) {
      const TensorSpec* input = model.FindInput(name);
      if (input == nullptr) {
        return InvalidArgument(
            "in ensemble {}, ensemble tensor {} is mapping to non-existing input {} in model {}",
            spec_.name, tensor, name, step.model);
      }
      mapped.insert(name);
      HEADRACE_RETURN_IF_ERROR(Add(tensor, step.model, *input, model));
    }
    for (const TensorSpec& input : model.inputs) {
      if (!input.optional && mapped.count(input.name) == 0) {
        return InvalidArgument(
            "in ensemble {}, input {} in model {} is not mapped to any ensemble tensors",
            spec_.name, input.name, step.model);
      }
    }
    for (const auto& [name, tensor] : step.outputs) {
      const TensorSpec* output = model.FindOutput(name);
      if (output == nullptr) {
        return InvalidArgument(
            "in ensemble {}, ensemble tensor {} is mapping to non-existing output {} in model {}",
            spec_.name, tensor, name, step.model);
      }
      HEADRACE_RETURN_IF_ERROR(Add(tensor, step.model, *output, model));
    }
    return OkStatus();
  }

  Status Add(const std::string& tensor, const std::string& model, const TensorSpec& spec,
             const ModelSignature& signature) {
    Claim claim{model, spec.dtype, spec.dims, signature.ClientShape(spec)};
    const auto [found, added] = claims_.emplace(tensor, claim);
    const Claim& first = found->second;
    if (added) {
      return OkStatus();
    }
    if (first.dtype != claim.dtype) {
      return InvalidArgument(
          "in ensemble {}, ensemble tensor {}: inconsistent data type: {} is inferred from model "
          "{} while {} is inferred from model {}",
          spec_.name, tensor, ConfigTypeName(claim.dtype), claim.model, ConfigTypeName(first.dtype),
          first.model);
    }
    if (!Agree(first.dims, claim.dims) && !Agree(first.full_dims, claim.full_dims)) {
      return InvalidArgument(
          "in ensemble {}, ensemble tensor {}: inconsistent shape: {} is inferred from model {} "
          "while {} is inferred from model {}",
          spec_.name, tensor, claim.full_dims.ToString(), claim.model, first.full_dims.ToString(),
          first.model);
    }
    return OkStatus();
  }

  static std::string ConfigTypeName(DataType dtype) {
    return dtype == DataType::kBytes ? "TYPE_STRING" : "TYPE_" + std::string(DataTypeName(dtype));
  }

  const EnsembleSpec& spec_;
  const ModelSignature& signature_;
  const std::vector<ComposingSignature>& models_;
  std::map<std::string, Claim> claims_;
};

// Numbers tensors as their names come up.
class TensorTable {
 public:
  explicit TensorTable(std::vector<EnsemblePlan::Tensor>& tensors) : tensors_(tensors) {}
  std::size_t At(const std::string& name) {
    const auto [found, added] = indices_.emplace(name, tensors_.size());
    if (added) {
      tensors_.push_back({.name = name, .readers = {}});
    }
    return found->second;
  }

 private:
  std::vector<EnsemblePlan::Tensor>& tensors_;
  std::map<std::string, std::size_t> indices_;
};

// Steps get `iterated` from their inputs, tensors from the steps that write them.
void SpreadIterations(EnsemblePlan& plan) {
  for (bool changed = true; changed;) {
    changed = false;
    for (EnsemblePlan::Step& step : plan.steps) {
      const bool iterated =
          std::any_of(step.inputs.begin(), step.inputs.end(),
                      [&](const auto& binding) { return plan.tensors[binding.tensor].iterated; });
      changed = changed || iterated != step.iterated;
      step.iterated = iterated;
      for (const auto& binding : step.outputs) {
        plan.tensors[binding.tensor].iterated = step.iterated || step.decoupled;
      }
    }
  }
}

// A decoupled step that waits for room behind it holds its instance.
Status CheckInflight(const EnsemblePlan& plan) {
  if (plan.inflight_max == 0) {
    return OkStatus();
  }
  for (const auto& producer : plan.steps) {
    for (const auto& step : plan.steps) {
      if (producer.decoupled && &producer != &step && step.iterated &&
          producer.model == step.model) {
        return InvalidArgument(
            "'max_inflight_requests' of ensemble '{}' would let model '{}' wait for itself: it is "
            "a decoupled step, and a step behind one; give the second use a name of its own",
            plan.name, step.model);
      }
    }
  }
  return OkStatus();
}

}  // namespace

std::size_t EnsemblePlan::FindTensor(std::string_view tensor) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const Tensor& one) { return one.name == tensor; });
  return static_cast<std::size_t>(found - tensors.begin());
}

Result<EnsemblePlan> MakeEnsemblePlan(const EnsembleSpec& spec, const ModelSignature& signature,
                                      const std::vector<ComposingSignature>& models) {
  HEADRACE_RETURN_IF_ERROR(Checker(spec, signature, models).Check());
  EnsemblePlan plan;
  plan.name = spec.name;
  plan.inflight_max = spec.inflight_max;
  TensorTable table(plan.tensors);
  for (const TensorSpec& input : signature.inputs) {
    plan.inputs.push_back(table.At(input.name));
  }
  for (const TensorSpec& output : signature.outputs) {
    plan.outputs.push_back(table.At(output.name));
    plan.tensors[plan.outputs.back()].is_output = true;
  }
  for (std::size_t i = 0; i < spec.steps.size(); ++i) {
    const EnsembleStepSpec& from = spec.steps[i];
    EnsemblePlan::Step step{
        .model = from.model, .version = from.version, .inputs = {}, .outputs = {}};
    step.decoupled = models[i].decoupled;
    plan.decoupled = plan.decoupled || step.decoupled;
    for (const auto& [name, tensor] : from.inputs) {
      step.inputs.push_back({name, table.At(tensor)});
      auto& readers = plan.tensors[step.inputs.back().tensor].readers;
      if (readers.empty() || readers.back() != i) {
        readers.push_back(i);
      }
    }
    for (const auto& [name, tensor] : from.outputs) {
      step.outputs.push_back({name, table.At(tensor)});
    }
    plan.steps.push_back(std::move(step));
  }
  SpreadIterations(plan);
  HEADRACE_RETURN_IF_ERROR(CheckInflight(plan));
  return plan;
}

std::vector<bool> NeededSteps(const EnsemblePlan& plan,
                              const std::vector<std::string>& wanted_outputs) {
  if (wanted_outputs.empty()) {
    return std::vector<bool>(plan.steps.size(), true);
  }
  std::vector<bool> tensors(plan.tensors.size());
  for (const std::string& output : wanted_outputs) {
    tensors[plan.FindTensor(output)] = true;
  }
  std::vector<bool> needed(plan.steps.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const auto& step = plan.steps[i];
      if (!needed[i] && std::any_of(step.outputs.begin(), step.outputs.end(),
                                    [&](const auto& output) { return tensors[output.tensor]; })) {
        needed[i] = changed = true;
        for (const auto& input : step.inputs) {
          tensors[input.tensor] = true;
        }
      }
    }
  }
  return needed;
}

Shape AdaptShape(const TensorSpec& spec, bool batches, const Shape& shape) {
  if (batches && shape.rank() == spec.dims.rank() && shape.rank() < Shape::kRankMax &&
      Fits(spec.dims, shape.dims())) {
    return shape.Prepend(1);
  }
  if (!batches && shape.rank() == spec.dims.rank() + 1 && shape[0] == 1 &&
      Fits(spec.dims, shape.dims().subspan(1))) {
    return shape.WithoutFirst();
  }
  return shape;
}

}  // namespace headrace::engine
