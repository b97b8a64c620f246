#include "load/v2_http_control.h"

#include <utility>

#include "load/json_document.h"
#include "load/load_reason.h"
#include "load/model_config_facts.h"
#include "protocol/json_writer.h"

namespace headrace::load {
namespace {

using protocol::JsonWriter;

constexpr std::string_view kJson = "application/json";
// Loading a model may take long; nobody should wait for ever.
constexpr Nanos kLoadTimeout = 600 * kSecond;

Result<JsonDocument> ParseObject(std::string_view json, const std::string& url) {
  HEADRACE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(json, url));
  if (!document.root().is_object()) {
    return InvalidArgument("{}: the answer is {}, and an object is expected", url,
                           JsonTypeName(document.root()));
  }
  return document;
}

Result<std::vector<TensorFacts>> ReadTensors(JsonElement root, std::string_view member,
                                             const std::string& url) {
  std::vector<TensorFacts> tensors;
  const auto list = ArrayMember(root, member);
  if (!list) {
    return tensors;
  }
  for (const JsonElement entry : *list) {
    TensorFacts tensor;
    tensor.name = StringMember(entry, "name");
    tensor.data_type = DataTypeFromName(StringMember(entry, "datatype"));
    if (tensor.name.empty() || tensor.data_type == DataType::kInvalid) {
      return InvalidArgument("{}: {}[{}] has no name, or a datatype that is not known ('{}')", url,
                             member, tensors.size(), StringMember(entry, "datatype"));
    }
    if (const auto shape = ArrayMember(entry, "shape")) {
      for (const JsonElement dim : *shape) {
        std::int64_t value = 0;
        if (dim.get(value) != simdjson::SUCCESS || value < -1) {
          return InvalidArgument("{}: the shape of '{}' holds what is no dimension", url,
                                 tensor.name);
        }
        tensor.shape.push_back(value);
      }
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void ReadDuration(JsonElement statistics, std::string_view name, std::uint64_t& count,
                  std::uint64_t& ns) {
  if (const auto duration = Member(statistics, name)) {
    count = UintMember(*duration, "count");
    ns = UintMember(*duration, "ns");
  }
}

ModelStatistics ReadModelStatistics(JsonElement entry) {
  ModelStatistics out;
  out.version = StringMember(entry, "version");
  out.inference_count = UintMember(entry, "inference_count");
  out.execution_count = UintMember(entry, "execution_count");
  if (const auto stats = Member(entry, "inference_stats")) {
    ReadDuration(*stats, "success", out.success_count, out.success_ns);
    ReadDuration(*stats, "fail", out.fail_count, out.fail_ns);
    ReadDuration(*stats, "queue", out.queue_count, out.queue_ns);
    ReadDuration(*stats, "compute_input", out.compute_input_count, out.compute_input_ns);
    ReadDuration(*stats, "compute_infer", out.compute_infer_count, out.compute_infer_ns);
    ReadDuration(*stats, "compute_output", out.compute_output_count, out.compute_output_ns);
    ReadDuration(*stats, "cache_hit", out.cache_hit_count, out.cache_hit_ns);
    ReadDuration(*stats, "cache_miss", out.cache_miss_count, out.cache_miss_ns);
  }
  if (const auto batches = ArrayMember(entry, "batch_stats")) {
    for (const JsonElement batch : *batches) {
      std::uint64_t count = 0, ns = 0;
      ReadDuration(batch, "compute_infer", count, ns);
      out.batches[IntMember(batch, "batch_size")] += count;
    }
  }
  return out;
}

// The texts of an array; what is none is passed over.
std::vector<std::string> TextsOf(JsonElement object, std::string_view name) {
  std::vector<std::string> texts;
  if (const auto array = ArrayMember(object, name)) {
    for (const JsonElement element : *array) {
      std::string_view text;
      if (element.get(text) == simdjson::SUCCESS) {
        texts.emplace_back(text);
      }
    }
  }
  return texts;
}

}  // namespace

Result<ServerFacts> ReadServerMetadata(std::string_view json, const std::string& url) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, ParseObject(json, url));
  ServerFacts facts;
  facts.name = StringMember(document.root(), "name");
  facts.version = StringMember(document.root(), "version");
  facts.extensions = TextsOf(document.root(), "extensions");
  return facts;
}

Result<ModelFacts> ReadModelMetadata(std::string_view json, const std::string& url) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, ParseObject(json, url));
  const JsonElement root = document.root();
  ModelFacts facts;
  facts.name = StringMember(root, "name");
  facts.platform = StringMember(root, "platform");
  facts.versions = TextsOf(root, "versions");
  HEADRACE_ASSIGN_OR_RETURN(facts.inputs, ReadTensors(root, "inputs", url));
  HEADRACE_ASSIGN_OR_RETURN(facts.outputs, ReadTensors(root, "outputs", url));
  return facts;
}

Result<std::vector<ModelState>> ReadIndex(std::string_view json, const std::string& url) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(json, url));
  JsonArray entries;
  if (document.root().get(entries) != simdjson::SUCCESS) {
    return InvalidArgument("{}: the answer is {}, and an array is expected", url,
                           JsonTypeName(document.root()));
  }
  std::vector<ModelState> states;
  for (const JsonElement entry : entries) {
    states.push_back(
        {std::string(StringMember(entry, "name")), std::string(StringMember(entry, "version")),
         std::string(StringMember(entry, "state")), std::string(StringMember(entry, "reason"))});
  }
  return states;
}

Result<std::map<std::string, std::vector<ModelStatistics>>> ReadStatistics(std::string_view json,
                                                                           const std::string& url) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, ParseObject(json, url));
  std::map<std::string, std::vector<ModelStatistics>> out;
  const auto list = ArrayMember(document.root(), "model_stats");
  if (!list) {
    return InvalidArgument("{}: the answer has no model_stats", url);
  }
  for (const JsonElement entry : *list) {
    out[std::string(StringMember(entry, "name"))].push_back(ReadModelStatistics(entry));
  }
  return out;
}

Result<std::string> GetMetrics(HttpClient* metrics, const std::string& path) {
  if (metrics == nullptr) {
    return FailedPrecondition("where the metrics are is not known; --metrics-url says it");
  }
  HttpCall call;
  call.path = path;
  HEADRACE_ASSIGN_OR_RETURN(HttpReply reply, metrics->Call(call));
  if (!reply.ok()) {
    return FailedPrecondition("{}", ReplyError("GET", metrics->Url(path), reply).message());
  }
  return std::move(reply.body);
}

Result<std::string> V2HttpControl::Ask(const HttpCall& call) {
  HEADRACE_ASSIGN_OR_RETURN(HttpReply reply, http_.Call(call));
  if (!reply.ok()) {
    return ReplyError(call.method, http_.Url(call.path), reply);
  }
  return std::move(reply.body);
}

Result<std::string> V2HttpControl::Get(const std::string& path) {
  HttpCall call;
  call.path = base_ + path;
  return Ask(call);
}

Result<std::string> V2HttpControl::Post(const std::string& path, std::string_view json) {
  HttpCall call;
  call.method = "POST";
  call.path = base_ + path;
  call.body = json;
  call.content_type = kJson;
  call.timeout = kLoadTimeout;
  return Ask(call);
}

std::string V2HttpControl::ModelPath(const std::string& model, const std::string& version) const {
  std::string path = "/v2/models/" + EscapePath(model);
  if (!version.empty()) {
    path += "/versions/" + EscapePath(version);
  }
  return path;
}

Result<ServerFacts> V2HttpControl::Server() {
  HEADRACE_ASSIGN_OR_RETURN(const std::string body, Get("/v2"));
  return ReadServerMetadata(body, http_.Url(base_ + "/v2"));
}

Result<bool> V2HttpControl::ModelReady(const std::string& model, const std::string& version) {
  HttpCall call;
  call.path = base_ + ModelPath(model, version) + "/ready";
  HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, http_.Call(call));
  // Whatever else it says, it is not ready: servers differ in how they say it.
  return reply.ok();
}

Result<ModelFacts> V2HttpControl::Model(const std::string& model, const std::string& version) {
  const std::string path = ModelPath(model, version);
  const Result<std::string> metadata = Get(path);
  if (!metadata.ok()) {
    return WithLoadReason(metadata.status(), *this, model, version);
  }
  HEADRACE_ASSIGN_OR_RETURN(ModelFacts facts,
                            ReadModelMetadata(*metadata, http_.Url(base_ + path)));
  if (facts.name.empty()) {
    facts.name = model;
  }
  // The configuration is an extension of the protocol: a server need not have it.
  HttpCall call;
  call.path = base_ + path + "/config";
  HEADRACE_ASSIGN_OR_RETURN(HttpReply config, http_.Call(call));
  if (config.ok()) {
    HEADRACE_RETURN_IF_ERROR(AddConfig(std::move(config.body), http_.Url(call.path), facts));
  }
  return facts;
}

Result<std::map<std::string, std::vector<ModelStatistics>>> V2HttpControl::Statistics(
    const std::string& model) {
  const std::string path = (model.empty() ? "/v2/models" : ModelPath(model, "")) + "/stats";
  HEADRACE_ASSIGN_OR_RETURN(const std::string body, Get(path));
  return ReadStatistics(body, http_.Url(base_ + path));
}

Result<std::vector<ModelState>> V2HttpControl::Index() {
  const std::string path = "/v2/repository/index";
  HEADRACE_ASSIGN_OR_RETURN(const std::string body, Post(path, "{}"));
  return ReadIndex(body, http_.Url(base_ + path));
}

Status V2HttpControl::Load(const std::string& model, const std::string& config_json) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  if (!config_json.empty()) {
    json.Key("parameters").BeginObject().Key("config").String(config_json).EndObject();
  }
  json.EndObject();
  return Post("/v2/repository/models/" + EscapePath(model) + "/load", body).status();
}

Status V2HttpControl::Unload(const std::string& model) {
  return Post("/v2/repository/models/" + EscapePath(model) + "/unload", "{}").status();
}

Result<std::string> V2HttpControl::Metrics() { return GetMetrics(metrics_.get(), metrics_path_); }

}  // namespace headrace::load
