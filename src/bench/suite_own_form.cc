// Our own form of a suite file: docs/bench.md, "Suites".
#include <fmt/format.h>

#include <algorithm>

#include "bench/json_value.h"
#include "bench/suite_forms.h"

namespace headrace::bench {
namespace {

constexpr std::int64_t kCountMax = 100'000;
constexpr double kRateMax = 10'000'000;
constexpr Nanos kDelayMax = 3600 * kSecond;

JsonValue JsonOf(const YAML::Node& node, int depth, YamlFaults& faults) {
  if (depth > 16) {
    faults.Add(node, "config", "is nested deeper than 16 levels");
    return {};
  }
  if (node.IsMap()) {
    JsonValue object{JsonValue::Object()};
    for (const auto& entry : node) {
      object[entry.first.Scalar()] = JsonOf(entry.second, depth + 1, faults);
    }
    return object;
  }
  if (node.IsSequence()) {
    JsonValue array{JsonValue::Array()};
    for (const YAML::Node& element : node) {
      array.Append(JsonOf(element, depth + 1, faults));
    }
    return array;
  }
  if (!node.IsScalar()) {
    return {};
  }
  // A plain scalar that reads as a JSON number or word is one.
  const std::string& text = node.Scalar();
  if (node.Tag() != "!") {
    if (auto value = JsonValue::Parse(text);
        value.ok() && !value->is_object() && !value->is_array()) {
      return *value;
    }
  }
  return text;
}

load::Protocol ReadProtocol(YamlFields& fields) {
  const std::string text = fields.Text("protocol", "http");
  if (text == "http") {
    return load::Protocol::kV2Http;
  }
  if (text == "grpc") {
    return load::Protocol::kV2Grpc;
  }
  if (text == "torchserve") {
    return load::Protocol::kTorchServe;
  }
  fields.Fault("protocol", fmt::format("'{}' is none of http, grpc and torchserve", text));
  return load::Protocol::kV2Http;
}

void ReadServer(YamlFields& suite, SuiteSpec& spec) {
  const YAML::Node node = suite.Node("server");
  if (!node.IsDefined()) {
    suite.Fault("server", "is missing: give url, repository or model_store");
    return;
  }
  YamlFields fields(node, "server", suite.faults());
  SuiteServer& server = spec.server;
  server.protocol = ReadProtocol(fields);
  server.url = fields.Text("url");
  server.metrics_url = fields.Text("metrics_url");
  server.management_url = fields.Text("management_url");
  server.streaming = fields.Flag("streaming", false);
  for (const std::string& repository : fields.Texts("repository")) {
    const std::string found = ResolvePath(spec.file, repository);
    if (found.empty()) {
      fields.Fault("repository", fmt::format("there is no folder '{}'", repository));
    }
    server.repositories.push_back(found);
  }
  if (fields.Has("model_store")) {
    server.model_store = ResolvePath(spec.file, fields.Text("model_store"));
    if (server.model_store.empty()) {
      fields.Fault("model_store",
                   fmt::format("there is no folder '{}'", fields.Text("model_store")));
    }
    if (server.protocol == load::Protocol::kV2Grpc) {
      fields.Fault("model_store", "is TorchServe's: the protocol must be torchserve");
    }
    server.protocol = load::Protocol::kTorchServe;
  }
  server.arguments = fields.Texts("arguments");
  if (const YAML::Node headers = fields.Node("headers"); headers.IsDefined()) {
    YamlFields map(headers, "server.headers", suite.faults());
    for (const auto& entry : map.map()) {
      server.headers[entry.first.Scalar()] = map.Text(entry.first.Scalar());
    }
  }
  fields.RefuseOthers();
  const int places = (server.url.empty() ? 0 : 1) + (server.repositories.empty() ? 0 : 1) +
                     (server.model_store.empty() ? 0 : 1);
  if (places != 1 && suite.faults().status().ok()) {
    suite.Fault("server", "needs one of url, repository and model_store");
  }
  if (!server.url.empty() && !server.arguments.empty()) {
    fields.Fault("arguments", "are for a server of our own; this suite names a running one");
  }
}

void ReadLoads(YamlFields& fields, std::uint64_t seed, SuiteModel& model) {
  load::ArrivalSpec open;
  open.seed = seed;
  const std::string arrivals = fields.Text("arrivals", "poisson");
  open.burstiness = fields.Number("burstiness", 1, 0.001, 1000);
  if (arrivals == "poisson") {
    open.kind = load::ArrivalSpec::Kind::kPoisson;
  } else if (arrivals == "constant") {
    open.kind = load::ArrivalSpec::Kind::kConstant;
  } else if (arrivals == "gamma") {
    open.kind = load::ArrivalSpec::Kind::kGamma;
  } else {
    fields.Fault("arrivals", fmt::format("'{}' is none of poisson, constant and gamma", arrivals));
  }
  const auto concurrencies = fields.Integers("concurrency", 1, kCountMax);
  const auto rates = fields.Numbers("rate", 0.001, kRateMax);
  if (concurrencies.empty() && rates.empty()) {
    return;
  }
  model.loads.clear();
  for (const std::int64_t concurrency : concurrencies) {
    load::ArrivalSpec closed;
    closed.kind = load::ArrivalSpec::Kind::kClosed;
    closed.concurrency = static_cast<int>(concurrency);
    closed.seed = seed;
    model.loads.push_back(closed);
  }
  for (const double rate : rates) {
    open.rate = rate;
    model.loads.push_back(open);
  }
}

void ReadInputs(YamlFields& fields, const SuiteSpec& spec, SuiteModel& model) {
  if (fields.Has("input")) {
    model.inputs = fields.Texts("input");
    for (std::string& input : model.inputs) {
      const std::size_t equals = input.find('=');
      const std::string name = equals == std::string::npos ? "" : input.substr(0, equals + 1);
      const std::string source = input.substr(name.size());
      if (source == "random" || source == "zero") {
        continue;
      }
      const std::string found = ResolvePath(spec.file, source);
      if (found.empty()) {
        fields.Fault("input", fmt::format("'{}' is neither random nor zero, nor a file or folder "
                                          "that exists",
                                          source));
      }
      input = name + found;
    }
  }
  if (const YAML::Node shapes = fields.Node("shapes"); shapes.IsDefined()) {
    YamlFields map(shapes, fields.Path("shapes"), fields.faults());
    model.shapes.clear();
    for (const auto& entry : map.map()) {
      const std::string name = entry.first.Scalar();
      std::string text;
      // A shape may have a size twice, so this is no list of values.
      const YAML::Node dims = map.Node(name);
      const bool list = dims.IsDefined() && dims.IsSequence() && dims.size() > 0;
      for (std::size_t i = 0; list && i < dims.size(); ++i) {
        text += (text.empty() ? "" : ",") + (dims[i].IsScalar() ? dims[i].Scalar() : "?");
      }
      if (text.empty() || text.find_first_not_of("0123456789,") != std::string::npos) {
        map.Fault(name, "must be a list of sizes such as [3, 224, 224]");
      }
      model.shapes.push_back(name + ":" + text);
    }
  }
  model.content_type = fields.Text("content_type", model.content_type);
}

// What a model, and `defaults` before it, may say.
void ReadModelFields(YamlFields& fields, const SuiteSpec& spec, SuiteModel& model) {
  const auto replace = [](auto& list, auto found) {
    if (!found.empty()) {
      list.assign(found.begin(), found.end());
    }
  };
  replace(model.devices, fields.Texts("device"));
  replace(model.max_batch_sizes, fields.Integers("batch", 0, kCountMax));
  replace(model.delays_us, fields.Integers("delay_us", 0, kDelayMax / kMicrosecond));
  replace(model.instances, fields.Integers("instances", 1, 1024));
  replace(model.request_batch_sizes, fields.Integers("request_batch", 1, kCountMax));
  if (const YAML::Node config = fields.Node("config"); config.IsDefined()) {
    if (!config.IsMap()) {
      fields.Fault("config", "must be a map of fields of the model configuration");
    }
    model.merge_patch = JsonOf(config, 0, fields.faults()).Text();
  }
  ReadLoads(fields, spec.seed, model);
  model.repeat = static_cast<int>(fields.Integer("repeat", model.repeat, 1, 1000));
  model.duration = fields.Duration("duration", model.duration);
  model.request_count = static_cast<std::uint64_t>(
      fields.Integer("requests", static_cast<std::int64_t>(model.request_count), 0, 1'000'000'000));
  model.interval_width = fields.Number("interval_width", model.interval_width, 0, 1);
  model.warmup_max = fields.Duration("warmup", model.warmup_max);
  model.warmup_request_count = static_cast<std::uint64_t>(fields.Integer(
      "warmup_requests", static_cast<std::int64_t>(model.warmup_request_count), 0, 1'000'000'000));
  model.request_timeout = fields.Duration("timeout", model.request_timeout);
  model.percentile = fields.Number("percentile", model.percentile, 1, 99.999);
  if (fields.Has("sla")) {
    model.sla = fields.Duration("sla", 0, kMillisecond);
  }
  model.attempts = static_cast<int>(fields.Integer("attempts", model.attempts, 1, 100));
  model.handler_profiling = fields.Flag("handler_profiling", model.handler_profiling);
  ReadInputs(fields, spec, model);
  if (model.duration < 10 * kMillisecond) {
    fields.Fault("duration", "must be 10ms or more");
  }
}

void ReadModel(const YAML::Node& node, const std::string& where, const SuiteModel& defaults,
               YamlFaults& faults, SuiteSpec& spec) {
  YamlFields fields(node, where, faults);
  SuiteModel model = defaults;
  model.model = fields.Text("model");
  model.name = fields.Text("name", model.model);
  model.version = fields.Text("version");
  model.url = fields.Text("url");
  ReadModelFields(fields, spec, model);
  if (model.loads.empty()) {
    load::ArrivalSpec closed;
    closed.kind = load::ArrivalSpec::Kind::kClosed;
    model.loads.push_back(closed);
  }
  fields.RefuseOthers();
  const bool torchserve = spec.server.protocol == load::Protocol::kTorchServe;
  if (model.model.empty() && !torchserve) {
    fields.Fault("model", "is missing");
  }
  if (torchserve) {
    if (model.url.empty()) {
      fields.Fault("url", "is missing: the archive, a URL or a path");
    } else if (const std::string found = ResolvePath(spec.file, model.url); !found.empty()) {
      model.url = found;
    }
    if (model.name.empty()) {
      fields.Fault("model", "is missing");
    }
    model.model = model.name;
  } else if (!model.url.empty()) {
    fields.Fault("url", "is for the protocol torchserve");
  }
  if (model.name.find_first_of("/\\ \t\n") != std::string::npos) {
    fields.Fault("name", "must have no blanks and no slashes");
  }
  spec.models.push_back(std::move(model));
}

}  // namespace

void ReadOwnForm(const YAML::Node& root, YamlFaults& faults, SuiteSpec& spec) {
  YamlFields fields(root, "", faults);
  spec.form = SuiteSpec::Form::kOwn;
  spec.name = fields.Text("suite", spec.name);
  spec.hardware = fields.Text("hardware", "this machine");
  spec.seed = static_cast<std::uint64_t>(fields.Integer("seed", 1, 0, INT64_MAX));
  spec.sender_count = static_cast<int>(fields.Integer("senders", 1, 1, 256));
  ReadServer(fields, spec);
  SuiteModel defaults;
  if (const YAML::Node node = fields.Node("defaults"); node.IsDefined()) {
    YamlFields map(node, "defaults", faults);
    ReadModelFields(map, spec, defaults);
    map.RefuseOthers();
  }
  const YAML::Node models = fields.Node("models");
  fields.RefuseOthers();
  if (!models.IsDefined() || !models.IsSequence()) {
    fields.Fault("models", "must be a list of models");
    return;
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    ReadModel(models[i], fmt::format("models[{}]", i), defaults, faults, spec);
  }
}

}  // namespace headrace::bench
