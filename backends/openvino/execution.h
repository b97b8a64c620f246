// One executor over a shared compiled model.
#ifndef HEADRACE_BACKENDS_OPENVINO_EXECUTION_H_
#define HEADRACE_BACKENDS_OPENVINO_EXECUTION_H_

#include <memory>
#include <openvino/runtime/infer_request.hpp>
#include <optional>
#include <vector>

#include "common/batch_driver.h"
#include "openvino/compiled_model.h"
#include "openvino/node_profile.h"

namespace headrace::backend {

// The string elements of a tensor of the runtime's.
class OpenVinoStrings final : public StringElements {
 public:
  OpenVinoStrings(const std::string* elements, std::size_t count)
      : elements_(elements), count_(count) {}
  std::size_t count() const override { return count_; }
  std::size_t SerialisedByteSize(std::size_t first, std::size_t count) const override;
  void Serialise(std::size_t first, std::size_t count, std::byte* destination) const override;

 private:
  const std::string* elements_;
  std::size_t count_;
};

// The OpenVINO side of a batch. Inputs are read where they lie; outputs of a fixed shape are
// written where they are wanted. A batch that is padded is copied on its way in.
class OpenVinoExecution final : public RuntimeRun {
 public:
  // May throw ov::Exception. `profile`: takes the runs of a model that counts; null: none.
  explicit OpenVinoExecution(std::shared_ptr<CompiledModel> model,
                             std::shared_ptr<NodeProfile> profile = nullptr);

  Error BindInput(std::size_t index, std::span<const std::byte> bytes,
                  std::span<const std::int64_t> shape) override;
  bool CanBindOutput(std::size_t index) const override;
  bool BindOutput(std::size_t index, std::span<std::byte> destination,
                  std::span<const std::int64_t> shape) override;
  Error Run(const std::vector<bool>& wanted) override;
  Error ReadOutput(std::size_t index, RuntimeOutput* output) override;
  void Clear() override;

 private:
  // Whether the batch has fewer rows than the model is made for.
  bool padded() const { return rows_ < model_->fixed_batch(); }
  // The input's own tensor for a whole batch, as large as the model wants it.
  ov::Tensor& PaddedInput(std::size_t index, const ov::element::Type& type,
                          std::span<const std::int64_t> shape);

  const std::shared_ptr<CompiledModel> model_;
  const std::shared_ptr<NodeProfile> profile_;
  ov::InferRequest request_;
  std::vector<ov::Tensor> own_outputs_;    // the request's own memory for each output
  std::vector<bool> bound_;                // outputs that go elsewhere in this batch
  std::vector<ov::Tensor> padded_inputs_;  // made when first needed
  std::int64_t rows_ = 0;                  // of this batch, where the model fixes them
  std::optional<OpenVinoStrings> strings_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_EXECUTION_H_
