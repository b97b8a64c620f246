// The statistics of models.
#include <string>
#include <string_view>

#include "frontend/documents.h"
#include "protocol/json_writer.h"

namespace headrace::frontend {
namespace {

using protocol::JsonWriter;

void WriteDuration(JsonWriter& json, std::string_view key, const engine::CountAndDuration& value) {
  json.Key(key).BeginObject().Key("count").Uint(value.count).Key("ns").Uint(value.ns).EndObject();
}

void WriteBatches(JsonWriter& json, const engine::StatisticsSnapshot& statistics) {
  json.Key("batch_stats").BeginArray();
  for (const auto& [batch_size, batch] : statistics.batches) {
    json.BeginObject().Key("batch_size").Uint(batch_size);
    WriteDuration(json, "compute_input", batch.compute_input);
    WriteDuration(json, "compute_infer", batch.compute_infer);
    WriteDuration(json, "compute_output", batch.compute_output);
    json.EndObject();
  }
  json.EndArray();
}

void WriteResponses(JsonWriter& json, const engine::StatisticsSnapshot& statistics) {
  json.Key("response_stats").BeginObject();
  for (const auto& [index, response] : statistics.responses) {
    json.Key(std::to_string(index)).BeginObject();
    WriteDuration(json, "compute_infer", response.compute_infer);
    WriteDuration(json, "compute_output", response.compute_output);
    WriteDuration(json, "success", response.success);
    WriteDuration(json, "fail", response.fail);
    WriteDuration(json, "empty_response", response.empty_response);
    WriteDuration(json, "cancel", response.cancel);
    json.EndObject();
  }
  json.EndObject();
}

void WriteModel(JsonWriter& json, const engine::Model& model) {
  const engine::StatisticsSnapshot statistics = model.statistics().Read();
  json.BeginObject().Key("name").String(model.name());
  json.Key("version").String(std::to_string(model.version()));
  json.Key("last_inference").Uint(statistics.last_inference_ms);
  json.Key("inference_count").Uint(statistics.inference_count);
  json.Key("execution_count").Uint(statistics.execution_count);
  json.Key("inference_stats").BeginObject();
  WriteDuration(json, "success", statistics.success);
  WriteDuration(json, "fail", statistics.fail);
  WriteDuration(json, "queue", statistics.queue);
  WriteDuration(json, "compute_input", statistics.compute_input);
  WriteDuration(json, "compute_infer", statistics.compute_infer);
  WriteDuration(json, "compute_output", statistics.compute_output);
  WriteDuration(json, "cache_hit", statistics.cache_hit);
  WriteDuration(json, "cache_miss", statistics.cache_miss);
  json.EndObject();
  WriteResponses(json, statistics);
  WriteBatches(json, statistics);
  json.Key("memory_usage").BeginArray().EndArray().EndObject();
}

}  // namespace

std::string StatisticsJson(const std::vector<engine::ModelHandle>& models) {
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("model_stats").BeginArray();
  for (const engine::ModelHandle& model : models) {
    WriteModel(json, *model);
  }
  json.EndArray().EndObject();
  return page;
}

}  // namespace headrace::frontend
