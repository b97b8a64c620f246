// Where the time of a profile's executions goes, as frames within frames.
#ifndef HEADRACE_PROFILING_FLAME_GRAPH_H_
#define HEADRACE_PROFILING_FLAME_GRAPH_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "profiling/frame_tree.h"

namespace headrace::profiling {

// Of a profile's document (ProfileDocument): "server", in it the model, its instances, batches by
// size, operators by what called them, and before each the lines of the source that called it
// (where the document has them). Frames of one name in one frame are one. The time of operators of
// a GPU is beside it, as another child of "server". A runtime that only sums up has its sums in the
// model. Beside both is what was sampled, kCpuFrame: processor time, not time of day, of the
// threads of the server; of the model's instances by batch and operator. INTERNAL where it is no
// such document. Pure.
inline constexpr std::string_view kCpuFrame = "CPU (sampled)";
Result<FlameFrame> FlameGraphOf(std::string_view document);

// One line for each stack that took time itself, "server;resnet18;...;aten::conv2d 1234" with
// nanoseconds: what flame graph programs read.
std::string CollapsedStacks(const FlameFrame& root);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_FLAME_GRAPH_H_
