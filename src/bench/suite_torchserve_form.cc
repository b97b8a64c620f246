// TorchServe's form of a suite file (contracts, TorchServe 10.1).
#include <fmt/format.h>

#include <filesystem>

#include "bench/suite_forms.h"

namespace headrace::bench {
namespace {

namespace fs = std::filesystem;

void Warn(SuiteSpec& spec, YamlFields& fields, const std::string& key, std::string_view what) {
  const YAML::Node node = fields.Node(key);
  spec.warnings.push_back(fmt::format("{}: {}: {}",
                                      fields.faults().Place(node.IsDefined() ? node : fields.map()),
                                      fields.Path(key), what));
}

// Keys that auto_benchmark's converter drops without a word: here they act or are named.
void ReadDroppedKeys(YamlFields& fields, SuiteSpec& spec, SuiteModel& model) {
  const std::string engine = fields.Text("benchmark_engine", "ab");
  if (engine != "ab") {
    Warn(spec, fields, "benchmark_engine",
         fmt::format("'{}' is not used: load comes from this program", engine));
  }
  const std::string environment = fields.Text("exec_env", "local");
  if (environment != "local") {
    Warn(spec, fields, "exec_env",
         fmt::format("'{}' is not acted on: the server runs on this machine, or where --url says",
                     environment));
  }
  if (fields.Flag("backend_profiling", false)) {
    Warn(spec, fields, "backend_profiling", "is not acted on");
  }
  model.attempts = 1 + static_cast<int>(fields.Integer("retry_attempts", 0, 0, 99));
  model.request_timeout = fields.Duration("timeout_ms", model.request_timeout, kMillisecond);
}

// "cpu", "neuron", "neuronx", or {gpus: "all"}.
void ReadProcessors(YamlFields& fields, SuiteSpec& spec, SuiteModel& model) {
  const YAML::Node list = fields.Node("processors");
  if (!list.IsDefined()) {
    return;
  }
  if (!list.IsSequence()) {
    fields.Fault("processors", "must be a list such as [cpu, {gpus: all}]");
    return;
  }
  for (const YAML::Node& one : list) {
    if (one.IsMap() && one["gpus"].IsDefined() && one["gpus"].IsScalar()) {
      const std::string which = one["gpus"].Scalar();
      model.devices.push_back(which == "all" ? "gpu" : "gpu:" + which);
    } else if (one.IsScalar() && one.Scalar() == "cpu") {
      model.devices.push_back("cpu");
    } else if (one.IsScalar() && (one.Scalar() == "neuron" || one.Scalar() == "neuronx")) {
      Warn(spec, fields, "processors",
           fmt::format("'{}' is passed over: there is no such device", one.Scalar()));
    } else {
      fields.faults().Add(one, fields.Path("processors"),
                          "must be cpu, neuron, neuronx or {gpus: all}");
    }
  }
  // As the original: the processors of the other hardware are passed over.
  const bool gpu = spec.hardware == "gpu";
  std::erase_if(model.devices,
                [&](const std::string& device) { return device.starts_with("gpu") != gpu; });
}

void ReadCase(YamlFields& fields, const std::string& model_name, const std::string& mode,
              SuiteSpec& spec) {
  SuiteModel model;
  model.name = mode + "_" + model_name;
  model.model = model.name;
  model.url = fields.Text("url");
  if (model.url.empty()) {
    fields.Fault("url", "is missing: the archive, a URL or a path");
  } else if (model.url.find("://") == std::string::npos) {
    const std::string found = ResolvePath(fields.faults().file(), model.url);
    model.url = found.empty() ? model.url : found;  // else a name in the server's model store
  }
  if (fs::path(model.url).extension() == ".war") {
    fields.Fault("url", "is a workflow; suites measure models");
  }
  for (const std::int64_t workers : fields.Integers("workers", 1, 1024)) {
    model.instances.push_back(static_cast<int>(workers));
  }
  model.max_batch_sizes = fields.Integers("batch_size", 1, 100'000);
  if (model.instances.empty()) {
    fields.Fault("workers", "is missing: a list such as [1, 2, 4]");
  }
  if (model.max_batch_sizes.empty()) {
    fields.Fault("batch_size", "is missing: a list such as [1, 2, 4]");
  }
  if (fields.Has("batch_delay")) {
    model.delays_us = {fields.Integer("batch_delay", 100, 0, 3'600'000) * 1000};
    Warn(spec, fields, "batch_delay",
         "acts here; in TorchServe's own suite it never took effect (100 ms were used), so figures "
         "of the two differ");
  } else {
    model.delays_us = {200'000};  // benchmark-ab.py's own
  }
  load::ArrivalSpec closed;
  closed.kind = load::ArrivalSpec::Kind::kClosed;
  closed.concurrency = static_cast<int>(fields.Integer("concurrency", 10, 1, 100'000));
  model.loads = {closed};
  model.request_count =
      static_cast<std::uint64_t>(fields.Integer("requests", 100, 1, 1'000'000'000));
  // A tenth of them before, as there; never warmed up by time.
  model.warmup_request_count = std::max<std::uint64_t>(1, model.request_count / 10);
  model.duration = 3600 * kSecond;
  model.warmup_max = 600 * kSecond;
  const std::string input = fields.Text("input");
  if (input.empty()) {
    fields.Fault("input", "is missing: the file that is posted");
  } else {
    const std::string found = ResolvePath(fields.faults().file(), input);
    if (found.empty()) {
      fields.Fault("input", fmt::format("there is no file '{}' here, nor beside this file", input));
    }
    model.inputs = {found};
  }
  model.handler_profiling = fields.Flag("handler_profiling", false);
  ReadProcessors(fields, spec, model);
  ReadDroppedKeys(fields, spec, model);
  fields.RefuseOthers();
  spec.models.push_back(std::move(model));
}

// A list of one-key maps, joined to a command as auto_benchmark joins it.
std::string ReadCommand(YamlFields& fields, const std::string& key, bool with_date) {
  const YAML::Node list = fields.Node(key);
  if (!list.IsDefined()) {
    return "";
  }
  if (!list.IsSequence()) {
    fields.Fault(key, "must be a list of maps with one key each, the first of them `cmd`");
    return "";
  }
  std::string command;
  for (const YAML::Node& part : list) {
    if (!part.IsMap() || part.size() != 1 || part.begin()->second.IsMap()) {
      fields.faults().Add(part, fields.Path(key), "must be a map of one key");
      return "";
    }
    const std::string name = part.begin()->first.Scalar();
    const YAML::Node value = part.begin()->second;
    std::string text = value.IsScalar() ? value.Scalar() : "";
    for (std::size_t i = 0; value.IsSequence() && i < value.size(); ++i) {
      text += (i > 0 && with_date ? "/" : "") + value[i].Scalar();
    }
    if (name == "dest" && with_date) {
      text += "/version()";
    }
    command += command.empty() ? "" : " ";
    command += name == "cmd" || with_date ? text : name + " " + text;
  }
  return command;
}

void ReadVersion(YamlFields& fields, SuiteSpec& spec) {
  const YAML::Node node = fields.Node("ts_version");
  if (!node.IsDefined()) {
    return;
  }
  std::string text;
  if (node.IsMap() && node.size() == 1) {
    const std::string kind = node.begin()->first.Scalar();
    if (kind != "branch" && kind != "nightly" && kind != "release") {
      fields.Fault("ts_version", "must be {branch: name}, {nightly: date} or {release: number}");
    }
    text = kind + " " + node.begin()->second.Scalar();
  }
  Warn(spec, fields, "ts_version",
       fmt::format("'{}' is not installed: what is measured is this program, or the server of "
                   "--url, and the report names its version",
                   text));
}

}  // namespace

void ReadTorchServeModels(const YAML::Node& root, YamlFaults& faults, SuiteSpec& spec) {
  spec.form = SuiteSpec::Form::kTorchServe;
  spec.server.protocol = load::Protocol::kTorchServe;
  for (const auto& model : root) {
    const std::string name = model.first.Scalar();
    YamlFields modes(model.second, name, faults);
    for (const auto& mode : modes.map()) {
      const std::string mode_name = mode.first.Scalar();
      if ((name + mode_name).find_first_of("/\\ \t\n") != std::string::npos) {
        faults.Add(mode.first, name + "." + mode_name, "names have no blanks and no slashes");
      }
      YamlFields fields(mode.second, name + "." + mode_name, faults);
      ReadCase(fields, name, mode_name, spec);
    }
  }
}

void ReadTorchServeForm(const YAML::Node& root, YamlFaults& faults, SuiteSpec& spec) {
  YamlFields fields(root, "", faults);
  spec.form = SuiteSpec::Form::kTorchServe;
  spec.server.protocol = load::Protocol::kTorchServe;
  ReadVersion(fields, spec);
  spec.hardware = fields.Text("hardware", "cpu");
  if (spec.hardware == "neuron" || spec.hardware == "neuronx") {
    Warn(spec, fields, "hardware",
         "there is no such device here; as in the original, the cases of the CPU are run");
  } else if (spec.hardware != "cpu" && spec.hardware != "gpu") {
    fields.Fault("hardware",
                 fmt::format("'{}' is none of cpu, gpu, neuron and neuronx", spec.hardware));
  }
  spec.metrics_command = ReadCommand(fields, "metrics_cmd", false);
  spec.report_command = ReadCommand(fields, "report_cmd", true);
  for (const std::string& name : fields.Texts("models")) {
    std::string path = ResolvePath(spec.file, "models_config/" + name);
    path = path.empty() ? ResolvePath(spec.file, name) : path;
    if (path.empty()) {
      fields.Fault("models", fmt::format("there is no model file '{}', nor one in models_config/ "
                                         "beside this file",
                                         name));
      continue;
    }
    auto models = LoadYaml(path);
    YamlFaults model_faults(path);
    if (models.ok() && models->IsMap()) {
      ReadTorchServeModels(*models, model_faults, spec);
    } else {
      model_faults.Add(models.ok() ? *models : YAML::Node(), "",
                       models.ok() ? "must be model: {mode: {...}}" : models.status().message());
    }
    if (!model_faults.status().ok()) {
      faults.Take(models.ok() ? model_faults.status() : models.status());
    }
  }
  fields.RefuseOthers();
}

}  // namespace headrace::bench
