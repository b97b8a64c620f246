#include "repository/thread_parameters.h"

#include <algorithm>

#include "base/checked_math.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

constexpr std::string_view kOpenVino = "INFERENCE_NUM_THREADS";
// More is the backend's to refuse.
constexpr unsigned kThreadCountMax = 8192;

int InstancesOf(const inference::ModelConfig& config) {
  int count = 0;
  for (const auto& group : config.instance_group()) {
    count += std::max(1, group.count());
  }
  return std::max(1, count);
}

}  // namespace

std::string_view ThreadParameter(std::string_view backend) {
  // A handler without Python hands it to the pytorch backend; workers take it by that name, too.
  if (backend == "pytorch" || backend == "torch" || backend == "handler") {
    return "INTRA_OP_THREAD_COUNT";
  }
  if (backend == "openvino") {
    return kOpenVino;
  }
  // Workers of Python models get cores and OMP_NUM_THREADS by it.
  return backend == "onnxruntime" || backend == "python" ? "intra_op_thread_count" : "";
}

std::string ThreadValue(std::string_view parameter, int threads, int instances) {
  return std::to_string(parameter == kOpenVino ? threads * instances : threads);
}

int ThreadsAsked(const inference::ModelConfig& config) {
  for (const char* name : kThreadParameters) {
    const auto found = config.parameters().find(name);
    if (found == config.parameters().end()) {
      continue;
    }
    const auto asked = ParseDecimal<unsigned>(found->second.string_value());
    if (!asked || *asked > kThreadCountMax) {
      return 0;
    }
    const int count = static_cast<int>(*asked);
    const int of = name == kOpenVino ? InstancesOf(config) : 1;
    return (count + of - 1) / of;
  }
  return 0;
}

void AskForThreads(int threads, inference::ModelConfig& config) {
  const std::string parameter(ThreadParameter(config.backend()));
  if (threads > 0 && !parameter.empty()) {
    (*config.mutable_parameters())[parameter].set_string_value(
        ThreadValue(parameter, threads, InstancesOf(config)));
  }
}

}  // namespace headrace::repository
