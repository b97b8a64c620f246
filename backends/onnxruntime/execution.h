// One executor over a shared session.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_EXECUTION_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_EXECUTION_H_

#include <onnxruntime_cxx_api.h>

#include <memory>
#include <optional>
#include <vector>

#include "common/batch_driver.h"
#include "onnxruntime/session.h"
#include "onnxruntime/session_options.h"
#include "onnxruntime/string_tensor.h"

namespace headrace::backend {

// The onnxruntime side of a batch. Inputs are read where they lie; outputs of a fixed shape are
// written where they are wanted.
class OnnxExecution final : public RuntimeRun {
 public:
  OnnxExecution(std::shared_ptr<OnnxSession> session, const SessionSettings& settings);

  Error BindInput(std::size_t index, std::span<const std::byte> bytes,
                  std::span<const std::int64_t> shape) override;
  bool CanBindOutput(std::size_t index) const override;
  bool BindOutput(std::size_t index, std::span<std::byte> destination,
                  std::span<const std::int64_t> shape) override;
  Error Run(const std::vector<bool>& wanted) override;
  Error ReadOutput(std::size_t index, RuntimeOutput* output) override;
  void Clear() override;

 private:
  const std::shared_ptr<OnnxSession> session_;
  const Ort::MemoryInfo memory_;
  Ort::RunOptions run_options_;
  std::vector<const char*> input_names_;  // of those that are bound
  std::vector<Ort::Value> inputs_;        // likewise
  std::vector<Ort::Value> outputs_;       // by index; null = not bound, or not computed

  // Of the current run; kept for their memory.
  std::vector<const char*> run_names_;
  std::vector<Ort::Value> run_values_;
  std::optional<StringTensorReader> strings_;  // of the output read last
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_EXECUTION_H_
