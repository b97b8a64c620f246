// The nodes of a model's instances, as OpenVINO counts them.
#ifndef HEADRACE_BACKENDS_OPENVINO_NODE_PROFILE_H_
#define HEADRACE_BACKENDS_OPENVINO_NODE_PROFILE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <openvino/runtime/infer_request.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/operator_profile.h"
#include "openvino/compiled_model.h"

namespace headrace::backend {

// The runtime counts where a model was compiled for it, so that a recording has a compiled model of
// its own, beside the instances'. Thread-safe.
class NodeProfile {
 public:
  // `compile`: makes the model that counts, and blocks while it does.
  using Compile = std::function<Error(std::shared_ptr<CompiledModel>*)>;
  explicit NodeProfile(Compile compile) : compile_(std::move(compile)) {}

  // Blocks where it is the first call.
  Error Model(std::shared_ptr<CompiledModel>* model);
  // Adds the last run of a request of that model. Slow where its inputs have shapes that none
  // before had: the runtime is then asked for its nodes' shapes. May throw ov::Exception.
  void Add(ov::InferRequest& request);
  void Finish(OperatorProfile* profile);

 private:
  using Works = std::map<std::string, OperatorWork>;  // by the node's name
  struct ShapeWorks {
    std::optional<Works> works{};
    int looks = 0;
  };
  // What the nodes do in a run of these inputs; null: not known. Under mutex_.
  const Works* WorksOf(ov::InferRequest& request);

  const Compile compile_;
  std::mutex mutex_;  // guards what follows; held while the model is compiled
  std::shared_ptr<CompiledModel> model_;
  int threads_ = 0;  // of one stream
  std::map<std::vector<ov::Shape>, ShapeWorks> works_;
  std::map<std::string, OperatorTotal> nodes_;  // by name
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_NODE_PROFILE_H_
