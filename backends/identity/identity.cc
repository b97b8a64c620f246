// The identity backend: OUTPUT<i> is INPUT<i>. Any datatype and shape, any number of pairs.
//
// Parameters, as those of Triton's identity backend:
//   execute_delay_ms                  each execution takes this much longer
//   instance_wise_delay_multiplier m  the delay of instance k is multiplied by m * k, by 1 where
//   that is 0 creation_delay_sec                loading takes this much longer
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "common/entry_points.h"
#include "common/input_gatherer.h"
#include "common/model_config.h"
#include "common/request_batch.h"

namespace headrace::backend {
namespace {

constexpr std::string_view kInputPrefix = "INPUT";
constexpr std::string_view kOutputPrefix = "OUTPUT";

Error CheckPair(const ModelConfig& config, const TensorConfig& output) {
  if (!output.name.starts_with(kOutputPrefix)) {
    return InvalidArgument("expected output name to follow OUTPUT<index> pattern, got '{}'",
                           output.name);
  }
  std::string input_name(kInputPrefix);
  input_name.append(output.name, kOutputPrefix.size());
  const TensorConfig* input = config.FindInput(input_name);
  if (input == nullptr) {
    return InvalidArgument("output '{}' has no input '{}' to copy", output.name, input_name);
  }
  if (input->dtype != output.dtype) {
    return InvalidArgument("input '{}' and output '{}' have different datatypes", input->name,
                           output.name);
  }
  if (input->backend_dims() != output.backend_dims()) {
    return InvalidArgument("input '{}' and output '{}' have different shapes", input->name,
                           output.name);
  }
  return {};
}

Error CheckTensors(const ModelConfig& config) {
  if (config.inputs.size() != config.outputs.size()) {
    return InvalidArgument("model configuration must have equal input/output pairs");
  }
  for (const TensorConfig& input : config.inputs) {
    if (!input.name.starts_with(kInputPrefix)) {
      return InvalidArgument("expected input name to follow INPUT<index> pattern, got '{}'",
                             input.name);
    }
  }
  for (const TensorConfig& output : config.outputs) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(CheckPair(config, output));
  }
  return {};
}

class IdentityModel {
 public:
  static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<IdentityModel>* model) {
    auto created = std::make_unique<IdentityModel>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(created->Configure(handle));
    *model = std::move(created);
    return {};
  }

  static void Describe(TRITONBACKEND_BackendAttribute* attributes) { PreferCpu(attributes); }

  // The extra time of an execution by the next instance.
  std::chrono::milliseconds NextInstanceDelay() {
    const std::int64_t k = instance_count_.fetch_add(1, std::memory_order_relaxed);
    return std::chrono::milliseconds(execute_delay_ms_ *
                                     std::max<std::int64_t>(1, multiplier_ * k));
  }
  bool batches() const { return batches_; }

 private:
  Error Configure(TRITONBACKEND_Model* handle) {
    ModelConfig config;
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config));
    HEADRACE_BACKEND_RETURN_IF_ERROR(CheckTensors(config));
    std::int64_t creation_delay_sec = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(config.GetParameter("execute_delay_ms", &execute_delay_ms_));
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        config.GetParameter("instance_wise_delay_multiplier", &multiplier_));
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        config.GetParameter("creation_delay_sec", &creation_delay_sec));
    batches_ = config.max_batch_size > 0;
    std::this_thread::sleep_for(std::chrono::seconds(creation_delay_sec));
    return {};
  }

  std::int64_t execute_delay_ms_ = 0;
  std::int64_t multiplier_ = 0;
  bool batches_ = false;
  std::atomic<std::int64_t> instance_count_{0};
};

class IdentityInstance {
 public:
  IdentityInstance(std::chrono::milliseconds delay, bool batches)
      : delay_(delay), batches_(batches) {}

  static Error Create(IdentityModel& model, TRITONBACKEND_ModelInstance* /*handle*/,
                      std::unique_ptr<IdentityInstance>* instance) {
    *instance = std::make_unique<IdentityInstance>(model.NextInstanceDelay(), model.batches());
    return {};
  }

  Error Execute(RequestBatch& batch) {
    if (delay_.count() > 0) {
      std::this_thread::sleep_for(delay_);
    }
    batch.MarkComputeStart();
    std::uint64_t row_count = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      std::uint64_t rows = 1;
      if (Error error = Answer(batch, i, &rows); !error.ok()) {
        batch.Fail(i, error);
      }
      row_count += rows;
    }
    batch.MarkComputeEnd();
    batch.set_row_count(row_count);
    return {};
  }

 private:
  // Copies each input that request `i` wants back. `rows` becomes the request's batch size.
  Error Answer(RequestBatch& batch, std::size_t i, std::uint64_t* rows) {
    std::uint32_t input_count = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        TRITONBACKEND_RequestInputCount(batch.request(i), &input_count));
    for (std::uint32_t k = 0; k < input_count; ++k) {
      InputView input;
      HEADRACE_BACKEND_RETURN_IF_ERROR(DescribeInput(batch.request(i), k, &input));
      if (batches_ && !input.shape.empty()) {
        *rows = static_cast<std::uint64_t>(input.shape[0]);
      }
      output_name_ = kOutputPrefix;
      output_name_ += std::string_view(input.name).substr(kInputPrefix.size());
      if (!batch.Wants(i, output_name_)) {
        continue;
      }
      std::span<std::byte> destination;
      HEADRACE_BACKEND_RETURN_IF_ERROR(batch.Output(i, output_name_.c_str(), input.dtype,
                                                    input.shape, input.byte_size, &destination));
      if (!destination.empty()) {
        HEADRACE_BACKEND_RETURN_IF_ERROR(CopyInput(input, destination.data()));
      }
    }
    return {};
  }

  const std::chrono::milliseconds delay_;
  const bool batches_;
  std::string output_name_;  // kept for its memory
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("identity", ::headrace::backend::IdentityModel,
                              ::headrace::backend::IdentityInstance)
