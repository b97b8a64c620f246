// Which place of a model's call each tensor of the configuration has.
#ifndef HEADRACE_BACKENDS_PYTORCH_TENSOR_NAMING_H_
#define HEADRACE_BACKENDS_PYTORCH_TENSOR_NAMING_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/model_config.h"

namespace headrace::backend {

// The places on one side of a call.
struct CallPlaces {
  const char* what = "input";        // or "output", for messages
  std::vector<std::string> names;    // of the places, where the model tells; others are empty
  std::optional<std::size_t> count;  // of the places, where the model tells
};

// Triton's naming rules (contracts, Triton 3.5), for all tensors alike: each has the name of a
// place; or each ends in `__<place>`; or they stand in the order of the places. `places` becomes
// the place of each tensor. INVALID_ARG where names are mixed so that the order would mislead,
// where a place does not exist or is named twice; the text lists the names that are allowed.
Error AssignPlaces(const CallPlaces& call, const std::vector<TensorConfig>& tensors,
                   std::vector<std::size_t>* places);

// The same for a call whose tensors are of two kinds: those of the configuration's `input` or
// `output`, and those of its sequence_batching (controls, states). Where they are not all named in
// one way, each of a sequence may be named by place or by name on its own, or they stand behind the
// others in order. `places`: of `tensors`, then of `sequence`.
Error AssignPlaces(const CallPlaces& call, const std::vector<TensorConfig>& tensors,
                   const std::vector<TensorConfig>& sequence, std::vector<std::size_t>* places);

// "x, mask" or "INPUT__0, INPUT__1": the names that may be used, for messages.
std::string AllowedNames(const CallPlaces& call);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_TENSOR_NAMING_H_
