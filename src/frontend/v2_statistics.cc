// What models have done since they were loaded.
#include <string>
#include <string_view>
#include <vector>

#include "frontend/call.h"
#include "frontend/model_documents.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
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
  json.EndObject().Key("response_stats").BeginObject().EndObject();
  WriteBatches(json, statistics);
  json.Key("memory_usage").BeginArray().EndArray().EndObject();
}

void ReplyModels(Call& call, const std::vector<engine::ModelHandle>& models) {
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("model_stats").BeginArray();
  for (const engine::ModelHandle& model : models) {
    WriteModel(json, *model);
  }
  json.EndArray().EndObject();
  ReplyJson(*call.exchange, std::move(page));
}

}  // namespace

void ServeModelStatistics(Call& call) {
  const auto models =
      ModelsWithStatistics(call.match.model, call.match.version, call.loop.models.Get());
  if (!models.ok()) {
    ReplyError(*call.exchange, models.status());
    return;
  }
  ReplyModels(call, *models);
}

void ServeAllStatistics(Call& call) {
  ReplyModels(call, *ModelsWithStatistics({}, {}, call.loop.models.Get()));
}

}  // namespace headrace::frontend
