// Runs models of other backends: the onnxruntime backend hands those over that ask for the
// accelerator openvino where ONNX Runtime has none.
#include <memory>
#include <type_traits>
#include <utility>

#include "common/accelerated_model.h"
#include "openvino/compiled_model.h"
#include "openvino/execution.h"
#include "openvino/model_probe.h"

namespace headrace::backend {
namespace {

class LentModel final : public AcceleratedModel {
 public:
  explicit LentModel(std::shared_ptr<CompiledModel> model) : model_(std::move(model)) {}

  const ModelTensors& tensors() const override { return model_->tensors(); }
  std::unique_ptr<RuntimeRun> MakeRun() override {
    return std::make_unique<OpenVinoExecution>(model_);
  }

 private:
  const std::shared_ptr<CompiledModel> model_;
};

}  // namespace
}  // namespace headrace::backend

// The name is kLendOpenVinoModel's.
extern "C" __attribute__((visibility("default"))) TRITONSERVER_Error* HEADRACE_LendOpenVinoModel2(
    const headrace::backend::LendRequest& request,
    std::shared_ptr<headrace::backend::AcceleratedModel>* model) {
  namespace backend = headrace::backend;
  return backend::Guarded("openvino",
                          [&]() -> backend::Error {
                            std::shared_ptr<backend::CompiledModel> compiled;
                            HEADRACE_BACKEND_RETURN_IF_ERROR(backend::CompiledModel::Load(
                                {request.path, request.model_directory}, request.config,
                                backend::ModelProbe::In(request.library_directory), 0, &compiled));
                            *model = std::make_shared<backend::LentModel>(std::move(compiled));
                            return {};
                          })
      .Release();
}

static_assert(std::is_same_v<decltype(HEADRACE_LendOpenVinoModel2), headrace::backend::LendModel>);
