// Models made of a function, for the tests of this folder.
#ifndef HEADRACE_FRONTEND_FAKE_MODEL_H_
#define HEADRACE_FRONTEND_FAKE_MODEL_H_

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "engine/backend.h"
#include "engine/model.h"

namespace headrace::frontend {

using ExecuteFunction = std::function<void(engine::Batch batch)>;

class FakeInstance final : public engine::Instance {
 public:
  explicit FakeInstance(ExecuteFunction execute) : execute_(std::move(execute)) {}
  void Execute(engine::Batch batch) override { execute_(std::move(batch)); }

 private:
  ExecuteFunction execute_;
};

class FakeLoadedModel final : public engine::LoadedModel {
 public:
  explicit FakeLoadedModel(ExecuteFunction execute) : execute_(std::move(execute)) {}
  void SetFinalConfig(std::string) override {}
  Result<std::unique_ptr<engine::Instance>> CreateInstance(
      const engine::InstancePlacement&) override {
    return std::unique_ptr<engine::Instance>(std::make_unique<FakeInstance>(execute_));
  }

 private:
  ExecuteFunction execute_;
};

// Knows no backend: the tests put their models into the registry themselves.
class NoBackends final : public engine::BackendProvider {
 public:
  Result<std::shared_ptr<engine::Backend>> Find(const engine::LoadSpec& spec) override {
    return InvalidArgument("no backend '{}' in this test", spec.backend);
  }
  std::vector<Loaded> LoadedBackends() const override { return {}; }
};

// Answers each request with its inputs, named OUTPUT<i>.
inline void ExecuteIdentity(engine::Batch batch) {
  for (auto& request : batch.requests) {
    engine::InferResponse response;
    for (std::size_t i = 0; i < request->inputs.size(); ++i) {
      const Tensor& input = request->inputs[i].tensor;
      const std::string name = "OUTPUT" + std::to_string(i);
      Result<MutableBuffer> memory = request->sink().AllocateOutput(name, input.byte_size());
      HEADRACE_CHECK(memory.ok());
      std::memcpy(memory->data(), input.data.data(), input.data.size());
      Tensor output = input;
      output.data = std::move(*memory).Freeze();
      response.outputs.push_back({name, std::move(output)});
    }
    request->Send(std::move(response));
    request->Finish(OkStatus());
  }
}

inline engine::TensorSpec SpecOf(std::string name, DataType dtype, Shape dims) {
  engine::TensorSpec spec;
  spec.name = std::move(name);
  spec.dtype = dtype;
  spec.dims = dims;
  return spec;
}

// INPUT0 -> OUTPUT0 of FP32 and any length, batches of up to 8, one instance.
inline engine::ModelOptions IdentityOptions(std::string name, std::int64_t version = 1) {
  engine::ModelOptions options;
  options.name = std::move(name);
  options.version = version;
  options.platform = "fake";
  options.config_json = R"({"name":")" + options.name + R"(","max_batch_size":8})";
  options.signature.batch_size_max = 8;
  options.signature.inputs.push_back(SpecOf("INPUT0", DataType::kFp32, {-1}));
  options.signature.outputs.push_back(SpecOf("OUTPUT0", DataType::kFp32, {-1}));
  options.batching.batch_size_max = 8;
  options.placements.resize(1);
  return options;
}

inline engine::ModelHandle StartFake(engine::ModelOptions options,
                                     ExecuteFunction execute = ExecuteIdentity) {
  auto model = engine::Model::Start(
      std::move(options), std::make_unique<FakeLoadedModel>(std::move(execute)), Clock::Real());
  HEADRACE_CHECK(model.ok());
  return *std::move(model);
}

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_FAKE_MODEL_H_
