// What an ensemble is: steps, the tensors between them, and who reads and writes each. Pure.
#ifndef HEADRACE_ENGINE_ENSEMBLE_PLAN_H_
#define HEADRACE_ENGINE_ENSEMBLE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/signature.h"
#include "tensor/shape.h"

namespace headrace::engine {

// One step as a configuration has it. The pairs are (the model's name of a tensor, the ensemble's).
struct EnsembleStepSpec {
  std::string model;          // its key (engine/model_key.h)
  std::int64_t version = -1;  // -1: the newest that is ready
  std::vector<std::pair<std::string, std::string>> inputs, outputs;
};

struct EnsembleSpec {
  std::string name;
  std::vector<EnsembleStepSpec> steps;
  // Executions of one step that one request may have under way behind a decoupled step; 0: any
  // number (max_inflight_requests).
  std::size_t inflight_max = 0;
};

// Immutable once made. Tensors and steps are named by their indices.
//
// A decoupled step gives any number of responses to one request. What lies behind it runs once for
// each of them: such steps and tensors are `iterated`, and have values by iteration number. All
// other tensors have one value, which every iteration sees.
struct EnsemblePlan {
  struct Binding {
    std::string name;  // of the model
    std::size_t tensor;
  };
  struct Step {
    std::string model;
    std::int64_t version = -1;
    std::vector<Binding> inputs, outputs;
    bool decoupled = false;
    bool iterated = false;
  };
  struct Tensor {
    std::string name;
    std::vector<std::size_t> readers;  // steps, each once
    bool iterated = false;
    bool is_output = false;
  };

  std::string name;
  std::vector<Step> steps;
  std::vector<Tensor> tensors;
  std::vector<std::size_t> inputs;   // tensors, in the order of the signature
  std::vector<std::size_t> outputs;  // the same
  std::size_t inflight_max = 0;
  bool decoupled = false;  // some step is: any number of responses

  // The index, or tensors.size().
  std::size_t FindTensor(std::string_view tensor) const;
};

// A model as an ensemble's load sees it.
struct ComposingSignature {
  const ModelSignature* signature;
  bool decoupled = false;
};

// Puts the steps together. `signature` is the ensemble's, `models` are those of the steps, in their
// order. Requires a dataflow that repository/validate.h has let through. INVALID_ARGUMENT in the
// words of contracts, Triton 3.6 when the tensors of the models do not fit together; also when
// `inflight_max` could make a model wait for itself.
Result<EnsemblePlan> MakeEnsemblePlan(const EnsembleSpec& spec, const ModelSignature& signature,
                                      const std::vector<ComposingSignature>& models);

// Which steps must run for these outputs; none named: for all.
std::vector<bool> NeededSteps(const EnsemblePlan& plan,
                              const std::vector<std::string>& wanted_outputs);

// The shape in which a tensor goes into (or comes out of) a model with or without batch dimension,
// when the model before it has it the other way: a batch dimension of 1 is put in front or taken
// away where that makes the shape fit `spec`. Otherwise the shape as it is.
Shape AdaptShape(const TensorSpec& spec, bool batches, const Shape& shape);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_ENSEMBLE_PLAN_H_
