// What an operator of PyTorch's computes and moves. Pure; needs no PyTorch.
#ifndef HEADRACE_BACKENDS_PYTORCH_ATEN_WORK_H_
#define HEADRACE_BACKENDS_PYTORCH_ATEN_WORK_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/operator_work.h"

namespace headrace::backend {

// One argument of a call, as Kineto reports it.
struct AtenArgument {
  OperatorTensor tensor{};              // element_byte_size 0: it is none, or its type is not known
  std::vector<std::int64_t> strides{};  // of the tensor; empty: not known
  std::vector<std::int64_t> integers{};  // of a number, a truth value, or a list of them
};

// By Kineto's name of a tensor's type ("float", "c10::Half"); 0: not known.
std::uint64_t AtenElementByteSize(std::string_view type);

// Kineto reports inputs only: what is known of an operator's output is built in here, for
// convolutions, matrix products, attention, and what works element by element; others have no known
// work, among them views, which move nothing. `kineto_flops` counts where no rule here does.
OperatorWork WorkOfAten(std::string_view name, std::span<const AtenArgument> arguments,
                        std::uint64_t kineto_flops);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_ATEN_WORK_H_
