#include "torchserve/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "protocol/json_writer.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {
namespace {

using protocol::JsonWriter;

struct Parameter {
  std::string_view name, type, description;
  std::string_view otherwise = {};  // JSON; empty: there is no default
  bool required = false;
};

enum class Body : std::uint8_t { kJson, kAny, kText };

struct Operation {
  std::string_view path, method, id, description;
  std::span<const Parameter> query = {};
  Body answer = Body::kJson;
  std::span<const int> failures = {};   // beside 500
  std::span<const int> successes = {};  // beside 200
};

constexpr int kPredictionFailures[] = {404, 503};
constexpr int kModelFailures[] = {404};
constexpr int kScaleFailures[] = {400, 404};
constexpr int kRegisterFailures[] = {400, 404, 409, 507};
constexpr int kUnregisterFailures[] = {403, 404, 408};
constexpr int kWorkerSuccesses[] = {202, 206};

constexpr Parameter kMetricsQuery[] = {{"name[]", "string", "Only the metrics of this name"}};
constexpr Parameter kListQuery[] = {
    {"limit", "integer", "How many models to list, 100 at most", "100"},
    {"next_page_token", "string", "The nextPageToken of the page before"}};
constexpr Parameter kScaleQuery[] = {
    {"min_worker", "integer", "Workers that there are to be at least", "1"},
    {"max_worker", "integer", "Workers that there may be, min_worker if it is not given"},
    {"synchronous", "boolean", "Answer when the workers are ready", "false"}};
constexpr Parameter kRegisterQuery[] = {
    {"url", "string", "The archive: a name in the model store, or an allowed URL", {}, true},
    {"model_name", "string", "Name of the model, in place of the manifest's"},
    {"handler", "string", "Handler, in place of the manifest's"},
    {"runtime", "string", "Runtime, in place of the manifest's"},
    {"batch_size", "integer", "Requests in a batch at most", "1"},
    {"max_batch_delay", "integer", "Milliseconds that a request waits for company at most", "100"},
    {"response_timeout", "integer", "Seconds that a worker has for an answer", "120"},
    {"startup_timeout", "integer", "Seconds that a worker has to start", "120"},
    {"initial_workers", "integer", "Workers to start", "0"},
    {"synchronous", "boolean", "Answer when the workers are ready", "true"},
    {"s3_sse_kms", "boolean", "Sign the request for an archive in S3", "false"}};
constexpr Parameter kDescribeQuery[] = {
    {"customized", "boolean", "With what the handler says of itself", "false"}};

constexpr Operation kCommon[] = {
    {"/", "options", "apiDescription", "This document"},
    {"/api-description", "get", "api-description", "This document"},
};
constexpr Operation kMetrics[] = {
    {"/metrics", "get", "metrics", "Metrics in Prometheus' format", kMetricsQuery, Body::kText}};
constexpr Operation kInference[] = {
    {"/ping", "get", "ping", "Health of the server"},
    {"/v1/models/{model_name}:predict",
     "post",
     "predictions",
     "A prediction, as KServe v1 asks",
     {},
     Body::kAny,
     kPredictionFailures},
    {"/v2/models/{model_name}/infer",
     "post",
     "predictions",
     "A prediction, as KServe v2 asks",
     {},
     Body::kAny,
     kPredictionFailures},
    {"/predictions/{model_name}",
     "post",
     "predictions",
     "A prediction by the default version of the model",
     {},
     Body::kAny,
     kPredictionFailures},
    {"/predictions/{model_name}/{model_version}",
     "post",
     "version_predictions",
     "A prediction by one version of the model",
     {},
     Body::kAny,
     kPredictionFailures},
};
constexpr Operation kManagement[] = {
    {"/models", "get", "listModels", "The models by name", kListQuery},
    {"/models", "post", "registerModel", "Takes a model into service", kRegisterQuery, Body::kJson,
     kRegisterFailures, kWorkerSuccesses},
    {"/models/{model_name}", "get", "describeModel", "The default version of the model",
     kDescribeQuery, Body::kJson, kModelFailures},
    {"/models/{model_name}", "put", "setAutoScale", "Workers of the default version", kScaleQuery,
     Body::kJson, kScaleFailures, kWorkerSuccesses},
    {"/models/{model_name}",
     "delete",
     "unregisterModel",
     "Ends the default version",
     {},
     Body::kJson,
     kUnregisterFailures},
    {"/models/{model_name}/{model_version}", "get", "version_describeModel",
     "One version of the model; \"all\" means every one", kDescribeQuery, Body::kJson,
     kModelFailures},
    {"/models/{model_name}/{model_version}", "put", "version_setAutoScale",
     "Workers of one version", kScaleQuery, Body::kJson, kScaleFailures, kWorkerSuccesses},
    {"/models/{model_name}/{model_version}",
     "delete",
     "version_unregisterModel",
     "Ends one version",
     {},
     Body::kJson,
     kUnregisterFailures},
    {"/models/{model_name}/{model_version}/set-default",
     "put",
     "setDefault",
     "Makes a version the one that requests without a version mean",
     {},
     Body::kJson,
     kModelFailures},
};

constexpr std::string_view kErrorSchema =
    R"({"type":"object","required":["code","type","message"],"properties":{)"
    R"("code":{"type":"integer","description":"Error code."},)"
    R"("type":{"type":"string","description":"Error type."},)"
    R"("message":{"type":"string","description":"Error message."}}})";
constexpr std::string_view kAnySchema = R"({"type":"string","format":"binary"})";

std::string_view MediaOf(Body body) {
  switch (body) {
    case Body::kAny:
      return "*/*";
    case Body::kText:
      return "text/plain; version=0.0.4; charset=utf-8";
    case Body::kJson:
      break;
  }
  return "application/json";
}

std::string_view MeaningOf(int code) {
  switch (code) {
    case 202:
      return "Accepted, and going on";
    case 206:
      return "Not all workers are ready yet";
    case 400:
      return "A parameter or an archive is wrong";
    case 403:
      return "It is the default version, and there are others";
    case 404:
      return "There is no such model or version";
    case 408:
      return "It takes longer than it may";
    case 409:
      return "It is registered already";
    case 500:
      return "Internal server error";
    case 503:
      return "No worker can take the request now";
    case 507:
      return "Not enough memory";
    default:
      return "OK";
  }
}

void WriteContent(JsonWriter& json, std::string_view media, std::string_view schema) {
  json.Key("content").BeginObject().Key(media).BeginObject().Key("schema").Raw(schema);
  json.EndObject().EndObject();
}

void WriteResponse(JsonWriter& json, int code, std::string_view media, std::string_view schema) {
  json.Key(std::to_string(code)).BeginObject().Key("description").String(MeaningOf(code));
  WriteContent(json, media, schema);
  json.EndObject();
}

void WriteResponses(JsonWriter& json, const Operation& operation) {
  const std::string_view schema =
      operation.answer == Body::kAny ? kAnySchema : R"({"type":"object"})";
  json.Key("responses").BeginObject();
  WriteResponse(json, 200, MediaOf(operation.answer), schema);
  for (const int code : operation.successes) {
    WriteResponse(json, code, MediaOf(operation.answer), schema);
  }
  for (const int code : operation.failures) {
    WriteResponse(json, code, "application/json", kErrorSchema);
  }
  WriteResponse(json, 500, "application/json", kErrorSchema);
  json.EndObject();
}

void WriteParameter(JsonWriter& json, std::string_view in, const Parameter& parameter) {
  json.BeginObject().Key("in").String(in).Key("name").String(parameter.name);
  json.Key("description").String(parameter.description);
  json.Key("required").Bool(parameter.required);
  json.Key("schema").BeginObject().Key("type").String(parameter.type);
  if (!parameter.otherwise.empty()) {
    json.Key("default").Raw(parameter.otherwise);
  }
  json.EndObject().EndObject();
}

void WriteOperation(JsonWriter& json, const Operation& operation) {
  json.Key(operation.method).BeginObject();
  json.Key("description").String(operation.description);
  json.Key("operationId").String(operation.id);
  json.Key("parameters").BeginArray();
  for (const Parameter& parameter :
       {Parameter{"model_name", "string", "Name of the model", {}, true},
        Parameter{"model_version", "string", "Version of the model", {}, true}}) {
    if (operation.path.find(fmt::format("{{{}}}", parameter.name)) != std::string_view::npos) {
      WriteParameter(json, "path", parameter);
    }
  }
  for (const Parameter& parameter : operation.query) {
    WriteParameter(json, "query", parameter);
  }
  json.EndArray();
  if (operation.answer == Body::kAny) {
    json.Key("requestBody").BeginObject();
    json.Key("description").String("What the model's handler takes");
    WriteContent(json, "*/*", kAnySchema);
    json.Key("required").Bool(true).EndObject();
  }
  WriteResponses(json, operation);
  json.EndObject();
}

// Operations of one path stand together in `operations`.
void WritePaths(JsonWriter& json, std::span<const Operation> operations) {
  std::string_view path;
  for (const Operation& operation : operations) {
    if (operation.path != path) {
      if (!path.empty()) {
        json.EndObject();
      }
      path = operation.path;
      json.Key(path).BeginObject();
    }
    WriteOperation(json, operation);
  }
  json.EndObject();
}

}  // namespace

std::string DescribeListener(std::uint8_t surfaces, bool metrics, std::string_view version) {
  const auto is = [surfaces](Surface surface) {
    return (surfaces & static_cast<std::uint8_t>(surface)) != 0;
  };
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("openapi").String("3.0.1");
  json.Key("info").BeginObject().Key("title").String("TorchServe APIs");
  json.Key("description").String("Model inference over HTTP").Key("version").String(version);
  json.EndObject().Key("paths").BeginObject();
  WritePaths(json, kCommon);
  if (is(Surface::kInference)) {
    WritePaths(json, kInference);
  }
  if (is(Surface::kManagement)) {
    WritePaths(json, kManagement);
  }
  if (metrics) {
    WritePaths(json, kMetrics);
  }
  json.EndObject().EndObject();
  return text;
}

std::string DescribeModel(std::string_view model) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("openapi").String("3.0.1");
  json.Key("info").BeginObject().Key("title").String(fmt::format("RESTful API for: {}", model));
  json.Key("version").String("1.0.0").EndObject().Key("paths").BeginObject();
  const std::string prediction = fmt::format("/prediction/{}", model);
  for (const std::string_view path :
       {std::string_view(prediction), std::string_view("/v1/models/{model_name}:predict"),
        std::string_view("/v2/models/{model_name}/infer")}) {
    Operation operation{path, "post", model, "A prediction by the model"};
    operation.answer = Body::kAny;
    WritePaths(json, std::span(&operation, 1));
  }
  json.EndObject().EndObject();
  return text;
}

}  // namespace headrace::torchserve
