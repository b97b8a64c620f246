// Runs batches through a session: inputs in place or gathered once, outputs in place or copied
// once.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_EXECUTION_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_EXECUTION_H_

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/input_gatherer.h"
#include "common/model_config.h"
#include "common/request_batch.h"
#include "onnxruntime/session.h"
#include "onnxruntime/session_options.h"

namespace headrace::backend {

// One executor over a shared session. Not thread-safe: one per instance.
//
// Copies: a request alone in its batch is read where it lies and, where the model fixes the
// output's shape, answered in place. A batch of several is gathered with one copy per input and
// taken apart with one copy per output. Strings are converted.
class OnnxExecution {
 public:
  OnnxExecution(std::shared_ptr<OnnxSession> session, const ModelConfig& config,
                const SessionSettings& settings);

  // Answers every request of the batch; a failure returned concerns those not answered. May throw
  // Ort::Exception.
  Error Execute(RequestBatch& batch);

 private:
  struct Output {
    OnnxTensorInfo info;
    bool wanted = false;    // by some request of this batch
    bool in_place = false;  // the runtime writes into the response
  };

  Error ReadRows(RequestBatch& batch);
  Error BindInputs(RequestBatch& batch);
  Error BindInput(RequestBatch& batch, std::size_t slot);
  Error BindOutputs(RequestBatch& batch);
  // The output's shape for this batch if the model fixes it.
  bool KnownShape(const OnnxTensorInfo& info, std::vector<std::int64_t>* shape) const;
  void Run(RequestBatch& batch);
  Error Answer(RequestBatch& batch);
  Error AnswerTensor(RequestBatch& batch, const Output& output, const Ort::Value& value);
  Error AnswerStrings(RequestBatch& batch, const Output& output, const Ort::Value& value,
                      const std::vector<std::int64_t>& shape);

  const std::shared_ptr<OnnxSession> session_;
  const bool batches_;
  const Ort::MemoryInfo memory_;
  Ort::RunOptions run_options_;
  InputGatherer gatherer_;
  std::vector<const char*> input_names_;  // in the session's order
  std::vector<Output> outputs_;           // in the configuration's order

  // Of the current batch; kept for their memory.
  std::vector<std::int64_t> rows_;  // of each request
  std::int64_t row_count_ = 0;
  std::vector<Ort::Value> input_values_;
  std::vector<const char*> output_names_;
  std::vector<Ort::Value> output_values_;
  std::vector<std::int64_t> shape_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_EXECUTION_H_
