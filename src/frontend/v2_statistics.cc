// What models have done since they were loaded.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/call.h"
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

void AddReadyVersions(const engine::ModelEntry& entry, std::vector<engine::ModelHandle>& models) {
  for (const auto& [version, state] : entry.versions) {
    if (state.model != nullptr) {
      models.push_back(state.model);
    }
  }
}

}  // namespace

void ServeModelStatistics(Call& call) {
  const engine::RegistrySnapshot& snapshot = call.loop.models.Get();
  std::vector<engine::ModelHandle> models;
  if (const engine::ModelEntry* entry = snapshot.Find(call.match.model)) {
    AddReadyVersions(*entry, models);
  }
  if (models.empty()) {
    ReplyError(*call.exchange,
               InvalidArgument("requested model '{}' is not available", call.match.model));
    return;
  }
  if (!call.match.version.empty()) {
    Result<engine::ModelHandle> one = FindModel(call.match, snapshot);
    if (!one.ok()) {
      ReplyError(*call.exchange,
                 InvalidArgument("requested model version is not available for model '{}'",
                                 call.match.model));
      return;
    }
    models.assign(1, *std::move(one));
  }
  ReplyModels(call, models);
}

void ServeAllStatistics(Call& call) {
  std::vector<engine::ModelHandle> models;
  for (const auto& [name, entry] : call.loop.models.Get().models()) {
    AddReadyVersions(*entry, models);
  }
  std::sort(models.begin(), models.end(),
            [](const engine::ModelHandle& a, const engine::ModelHandle& b) {
              return std::tie(a->name(), a->options().version) <
                     std::tie(b->name(), b->options().version);
            });
  ReplyModels(call, models);
}

}  // namespace headrace::frontend
