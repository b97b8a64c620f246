// A server's side channel that knows the models that a test gave it.
#ifndef HEADRACE_LOAD_TESTING_FAKE_CONTROL_H_
#define HEADRACE_LOAD_TESTING_FAKE_CONTROL_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "load/server_control.h"

namespace headrace::load::testing {

class FakeControl final : public ServerControl {
 public:
  // An input or output of a model that batches; `dims` without the batch dimension.
  static TensorFacts Batched(std::string name, DataType data_type,
                             const std::vector<std::int64_t>& dims) {
    TensorFacts facts{std::move(name), data_type, {-1}, false};
    facts.shape.insert(facts.shape.end(), dims.begin(), dims.end());
    return facts;
  }

  // `batch_size_max` 0: the shapes are whole.
  void Add(const std::string& name, std::int64_t batch_size_max, std::vector<TensorFacts> inputs,
           std::vector<TensorFacts> outputs = {}) {
    ModelFacts& facts = models[name];
    facts.name = name;
    facts.batch_size_max = batch_size_max;
    facts.inputs = std::move(inputs);
    facts.outputs = std::move(outputs);
    facts.config_json = "{}";
  }

  std::map<std::string, ModelFacts> models;
  int asked = 0;

  Result<ServerFacts> Server() override { return ServerFacts(); }
  Result<bool> ModelReady(const std::string& model, const std::string&) override {
    return models.contains(model);
  }
  Result<ModelFacts> Model(const std::string& model, const std::string&) override {
    ++asked;
    if (!models.contains(model)) {
      return NotFound("unknown model '{}'", model);
    }
    return models[model];
  }
  Result<std::map<std::string, std::vector<ModelStatistics>>> Statistics(
      const std::string&) override {
    return Unimplemented("no statistics");
  }
  Result<std::vector<ModelState>> Index() override { return Unimplemented("no index"); }
  Status Load(const std::string&, const std::string&) override { return OkStatus(); }
  Status Unload(const std::string&) override { return OkStatus(); }
  Result<std::string> Metrics() override { return Unimplemented("no metrics"); }
};

}  // namespace headrace::load::testing

#endif  // HEADRACE_LOAD_TESTING_FAKE_CONTROL_H_
