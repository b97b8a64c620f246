// What models have done since they were loaded, over gRPC.
#include <string>

#include "frontend/grpc_handlers.h"
#include "frontend/grpc_unary.h"
#include "frontend/model_descriptions.h"

namespace headrace::frontend {
namespace {

void Fill(const engine::CountAndDuration& value, inference::StatisticDuration* duration) {
  duration->set_count(value.count);
  duration->set_ns(value.ns);
}

void FillModel(const engine::Model& model, inference::ModelStatistics& shown) {
  const engine::StatisticsSnapshot statistics = model.statistics().Read();
  shown.set_name(model.name());
  shown.set_version(std::to_string(model.version()));
  shown.set_last_inference(statistics.last_inference_ms);
  shown.set_inference_count(statistics.inference_count);
  shown.set_execution_count(statistics.execution_count);
  inference::InferStatistics& stages = *shown.mutable_inference_stats();
  Fill(statistics.success, stages.mutable_success());
  Fill(statistics.fail, stages.mutable_fail());
  Fill(statistics.queue, stages.mutable_queue());
  Fill(statistics.compute_input, stages.mutable_compute_input());
  Fill(statistics.compute_infer, stages.mutable_compute_infer());
  Fill(statistics.compute_output, stages.mutable_compute_output());
  Fill(statistics.cache_hit, stages.mutable_cache_hit());
  Fill(statistics.cache_miss, stages.mutable_cache_miss());
  for (const auto& [batch_size, batch] : statistics.batches) {
    inference::InferBatchStatistics& entry = *shown.add_batch_stats();
    entry.set_batch_size(batch_size);
    Fill(batch.compute_input, entry.mutable_compute_input());
    Fill(batch.compute_infer, entry.mutable_compute_infer());
    Fill(batch.compute_output, entry.mutable_compute_output());
  }
  for (const auto& [index, response] : statistics.responses) {
    inference::InferResponseStatistics& entry =
        (*shown.mutable_response_stats())[std::to_string(index)];
    Fill(response.compute_infer, entry.mutable_compute_infer());
    Fill(response.compute_output, entry.mutable_compute_output());
    Fill(response.success, entry.mutable_success());
    Fill(response.fail, entry.mutable_fail());
    Fill(response.empty_response, entry.mutable_empty_response());
    Fill(response.cancel, entry.mutable_cancel());
  }
}

Result<inference::ModelStatisticsResponse> ModelStatistics(
    GrpcContext& context, const inference::ModelStatisticsRequest& request) {
  HEADRACE_RETURN_IF_ERROR(CheckGrpcVersion(request.version()));
  HEADRACE_ASSIGN_OR_RETURN(
      const std::vector<engine::ModelHandle> models,
      ModelsWithStatistics(request.name(), request.version(), context.loop.models.Get()));
  inference::ModelStatisticsResponse response;
  for (const engine::ModelHandle& model : models) {
    FillModel(*model, *response.add_model_stats());
  }
  return response;
}

}  // namespace

void GrpcModelStatistics(GrpcContext& context) {
  ServeUnary<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse,
             ModelStatistics>(context);
}

}  // namespace headrace::frontend
