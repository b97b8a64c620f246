// What a node of ONNX Runtime computes and moves. Pure.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_NODE_WORK_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_NODE_WORK_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "common/operator_work.h"

namespace headrace::backend {

// By the runtime's name of a tensor's type ("float"); 0: not known.
std::uint64_t ElementByteSizeOf(std::string_view type);

// As the runtime's profiler reports a call: weights that it has repacked are missing among the
// inputs. Operators that read a part of an input (Gather), keep a state of their own or move
// nothing (Reshape) have no known work.
OperatorWork WorkOfNode(std::string_view op, std::span<const OperatorTensor> inputs,
                        std::span<const OperatorTensor> outputs);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_NODE_WORK_H_
