// The statistics of models.
#include <algorithm>
#include <string_view>
#include <tuple>

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

std::string ModelsJson(const std::vector<engine::ModelHandle>& models) {
  std::string page;
  JsonWriter json(page);
  json.BeginObject().Key("model_stats").BeginArray();
  for (const engine::ModelHandle& model : models) {
    WriteModel(json, *model);
  }
  json.EndArray().EndObject();
  return page;
}

void AddReadyVersions(const engine::ModelEntry& entry, std::vector<engine::ModelHandle>& models) {
  for (const auto& [version, state] : entry.versions) {
    if (state.model != nullptr) {
      models.push_back(state.model);
    }
  }
}

}  // namespace

Result<std::string> ModelStatisticsJson(const engine::RegistrySnapshot& models,
                                        std::string_view name,
                                        std::optional<std::int64_t> version) {
  std::vector<engine::ModelHandle> found;
  if (const engine::ModelEntry* entry = models.Find(name)) {
    AddReadyVersions(*entry, found);
  }
  if (found.empty()) {
    return InvalidArgument("requested model '{}' is not available", name);
  }
  if (version) {
    Result<engine::ModelHandle> one = models.Lookup(name, version);
    if (!one.ok()) {
      return InvalidArgument("requested model version is not available for model '{}'", name);
    }
    found.assign(1, *std::move(one));
  }
  return ModelsJson(found);
}

std::string AllStatisticsJson(const engine::RegistrySnapshot& models) {
  std::vector<engine::ModelHandle> found;
  for (const auto& [name, entry] : models.models()) {
    AddReadyVersions(*entry, found);
  }
  std::sort(found.begin(), found.end(),
            [](const engine::ModelHandle& a, const engine::ModelHandle& b) {
              return std::tie(a->name(), a->options().version) <
                     std::tie(b->name(), b->options().version);
            });
  return ModelsJson(found);
}

}  // namespace headrace::frontend
