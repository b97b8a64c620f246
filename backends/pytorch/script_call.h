// How the tensors of a configuration become the arguments of a TorchScript method, and its answer
// their outputs.
#ifndef HEADRACE_BACKENDS_PYTORCH_SCRIPT_CALL_H_
#define HEADRACE_BACKENDS_PYTORCH_SCRIPT_CALL_H_

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <string>
#include <vector>

#include "common/error.h"
#include "common/model_config.h"
#include "pytorch/call_tensors.h"

namespace headrace::backend {

// Settled once per model; then immutable and thread-safe.
//
// Arguments (contracts, Triton 3.5): a tensor, an optional tensor, a list of strings or one string
// each takes one input. A method whose only argument is a dictionary of tensors takes all inputs by
// name; one whose only argument is a list of tensors takes them in order. Arguments that have a
// default may be left out of the configuration; inputs that are optional there may be left out of a
// request where the argument has a default or is an Optional, and everywhere in a dictionary.
// Controls and states of a sequence are inputs, and states are outputs, like any other. The answer
// is a tensor, a list of strings, a tuple or list of these, or a dictionary by output name.
class ScriptCall {
 public:
  // INVALID_ARG names the input or output that does not fit, and what `forward` takes.
  static Error Plan(const c10::FunctionSchema& forward, const ModelConfig& config,
                    ScriptCall* call);

  // INVALID_ARG if a call cannot do without the input, with what its argument is.
  Error CheckOmitted(std::size_t input) const;
  // The stack for one call; takes the inputs. INTERNAL where a string argument gets several.
  Error Arguments(std::vector<c10::IValue>& inputs, std::vector<c10::IValue>* arguments) const;
  // Takes the answer apart. INTERNAL says what it was where an output is not there.
  Error Outputs(const c10::IValue& answer, const std::vector<bool>& wanted,
                std::vector<c10::IValue>* outputs) const;

 private:
  enum class Style { kPositions, kDictionary, kList };

  Error PlanInputs(const c10::FunctionSchema& forward, const CallTensors& tensors);
  Error PlanPositions(const c10::FunctionSchema& forward, const CallTensors& tensors);
  Error PlanOutputs(const c10::FunctionSchema& forward, const CallTensors& tensors);

  Style style_ = Style::kPositions;
  std::vector<std::string> input_names_;
  std::vector<std::size_t> input_places_;  // of each input
  std::vector<c10::IValue> defaults_;      // of each argument; with kPositions
  std::vector<bool> takes_string_;         // the argument is one string, not a list
  std::vector<std::string> needed_;        // of each argument: what it is if it cannot be left out
  std::vector<std::string> output_names_;
  std::vector<std::size_t> output_places_;
};

// "forward(x: Tensor, mask: Optional[Tensor]) -> Tensor", for messages.
std::string Describe(const c10::FunctionSchema& forward);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_SCRIPT_CALL_H_
