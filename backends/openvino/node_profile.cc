#include "openvino/node_profile.h"

#include <openvino/core/version.hpp>
#include <utility>

namespace headrace::backend {

Error NodeProfile::Model(std::shared_ptr<CompiledModel>* model) {
  const std::lock_guard lock(mutex_);
  if (model_ == nullptr) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(compile_(&model_));
  }
  *model = model_;
  return {};
}

void NodeProfile::Add(const ov::InferRequest& request) {
  const std::vector<ov::ProfilingInfo> nodes = request.get_profiling_info();
  const std::lock_guard lock(mutex_);
  for (const ov::ProfilingInfo& node : nodes) {
    if (node.status != ov::ProfilingInfo::Status::EXECUTED) {
      continue;
    }
    OperatorTotal& total = nodes_[node.node_name];
    if (total.count == 0) {
      total.name = node.node_name;
      total.kind = node.node_type;
      total.detail = node.exec_type;
    }
    ++total.count;
    total.duration_ns +=
        std::chrono::duration_cast<std::chrono::nanoseconds>(node.real_time).count();
  }
}

void NodeProfile::Finish(OperatorProfile* profile) {
  const std::lock_guard lock(mutex_);
  profile->runtime = std::string("OpenVINO ") + ov::get_openvino_version().buildNumber;
  profile->note =
      "OpenVINO sums up its nodes and gives no times of day: they are not in the timeline";
  profile->memory_note = "OpenVINO does not tell what its nodes allocate";
  for (auto& [name, total] : nodes_) {
    profile->totals.push_back(std::move(total));
  }
  nodes_.clear();
  model_.reset();
}

}  // namespace headrace::backend
