// What a node of OpenVINO's CPU plugin computes and moves. Pure; needs no OpenVINO.
#ifndef HEADRACE_BACKENDS_OPENVINO_NODE_WORK_H_
#define HEADRACE_BACKENDS_OPENVINO_NODE_WORK_H_

#include <span>
#include <string_view>

#include "common/operator_work.h"

namespace headrace::backend {

// `layer`: the node's type in the runtime's model ("Convolution"). Nodes that read a part of an
// input or may move nothing (Gather, Reshape, Split) have no known work; of what the runtime has
// fused (Subgraph) the bytes are known.
OperatorWork WorkOfLayer(std::string_view layer, std::span<const OperatorTensor> inputs,
                         std::span<const OperatorTensor> outputs);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_NODE_WORK_H_
