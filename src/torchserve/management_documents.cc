#include "torchserve/management_documents.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>

#include "protocol/json_writer.h"
#include "torchserve/api_replies.h"

namespace headrace::torchserve {
namespace {

using protocol::JsonWriter;

constexpr std::int64_t kPageSizeMax = 100;

void WriteWorker(const store::WorkerFacts& worker, JsonWriter& json) {
  json.BeginObject().Key("id").String(worker.id);
  json.Key("startTime").String(UtcTime(worker.started_unix_ms));
  json.Key("status").String(worker.ready ? "READY" : "UNLOADING");
  json.Key("memoryUsage").Uint(worker.memory_byte_size);
  json.Key("pid").Int(worker.process_id);
  json.Key("gpu").Bool(worker.on_gpu);
  json.Key("gpuUsage").String(worker.on_gpu ? fmt::format("gpuId::{}", worker.device_id) : "N/A");
  if (!worker.reason.empty()) {
    json.Key("reason").String(worker.reason);
  }
  json.EndObject();
}

void WriteModel(const store::ModelFacts& model, std::string_view customized, JsonWriter& json) {
  json.BeginObject();
  json.Key("modelName").String(model.name).Key("modelVersion").String(model.version);
  json.Key("modelUrl").String(model.url).Key("runtime").String(model.runtime);
  json.Key("minWorkers").Int(model.worker_count_min);
  json.Key("maxWorkers").Int(model.worker_count_max);
  json.Key("batchSize").Int(model.batch_size).Key("maxBatchDelay").Int(model.batch_delay_ms);
  json.Key("responseTimeout").Int(model.response_timeout_s);
  json.Key("startupTimeout").Int(model.startup_timeout_s);
  json.Key("maxRetryTimeoutInSec").Int(model.retry_timeout_s);
  json.Key("clientTimeoutInMills").Int(model.client_timeout_ms);
  json.Key("parallelType").String(model.parallel_type);
  json.Key("parallelLevel").Int(model.parallel_level);
  json.Key("deviceType").String(model.device_type);
  if (!model.device_ids.empty()) {
    json.Key("deviceIds").BeginArray();
    for (const int id : model.device_ids) {
      json.Int(id);
    }
    json.EndArray();
  }
  json.Key("continuousBatching").Bool(model.continuous_batching);
  json.Key("useJobTicket").Bool(model.job_ticket);
  json.Key("useVenv").Bool(model.own_environment);
  json.Key("stateful").Bool(model.stateful);
  json.Key("sequenceMaxIdleMSec").Int(model.sequence_idle_ms);
  json.Key("sequenceTimeoutMSec").Int(model.sequence_timeout_ms);
  json.Key("maxNumSequence").Int(model.sequence_count_max);
  json.Key("maxSequenceJobQueueSize").Int(model.sequence_queue_size);
  json.Key("loadedAtStartup").Bool(model.loaded_at_start);
  json.Key("workers").BeginArray();
  for (const store::WorkerFacts& worker : model.workers) {
    WriteWorker(worker, json);
  }
  json.EndArray();
  json.Key("jobQueueStatus").BeginObject();
  json.Key("remainingCapacity")
      .Int(std::max<std::int64_t>(0, model.queue_capacity - model.queue_depth));
  json.Key("pendingRequests").Int(model.queue_depth).EndObject();
  if (!customized.empty()) {
    json.Key("customizedMetadata").Raw(customized);
  }
  if (!model.scaling_reason.empty()) {
    json.Key("autoscaling").BeginObject();
    json.Key("wantedWorkers").Int(model.worker_count_wanted);
    json.Key("reason").String(model.scaling_reason).EndObject();
  }
  if (!model.load_error.empty()) {
    json.Key("loadError").String(model.load_error);
  }
  json.EndObject();
}

}  // namespace

std::string UtcTime(std::int64_t unix_ms) {
  const time_t seconds = unix_ms / 1000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     unix_ms % 1000);
}

std::string DescriptionJson(const std::vector<store::ModelFacts>& models,
                            std::string_view customized) {
  std::string text;
  JsonWriter json(text);
  json.BeginArray();
  for (const store::ModelFacts& model : models) {
    WriteModel(model, &model == &models.front() ? customized : std::string_view(), json);
  }
  json.EndArray();
  return Indented(text);
}

std::string ModelListJson(const std::vector<store::ModelFacts>& models, std::int64_t limit,
                          std::int64_t offset) {
  const auto count = static_cast<std::int64_t>(models.size());
  limit = limit < 0 || limit > kPageSizeMax ? kPageSizeMax : limit;
  offset = std::max<std::int64_t>(0, offset);
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  if (offset <= count - limit) {
    json.Key("nextPageToken").String(std::to_string(offset + limit));
  }
  json.Key("models").BeginArray();
  const std::int64_t begin = std::min(offset, count);
  for (std::int64_t i = begin; i < std::min(count, begin + limit); ++i) {
    const store::ModelFacts& model = models[static_cast<std::size_t>(i)];
    json.BeginObject().Key("modelName").String(model.name);
    json.Key("modelUrl").String(model.url).EndObject();
  }
  json.EndArray().EndObject();
  return Indented(text);
}

}  // namespace headrace::torchserve
