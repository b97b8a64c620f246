#include "bench/result_json.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "bench/file_writer.h"
#include "bench/json_reader.h"
#include "bench/level_json_read.h"
#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

using protocol::JsonWriter;

constexpr std::uint64_t kFileByteSizeMax = std::uint64_t{1} << 30;
constexpr std::size_t kDepthMax = 64;

template <typename T, typename Write>
void WriteOptional(JsonWriter& json, std::string_view key, const std::optional<T>& value,
                   Write write) {
  if (value) {
    json.Key(key);
    write(*value);
  }
}

void WriteTarget(JsonWriter& json, const TargetDescription& target) {
  json.Key("target").BeginObject();
  json.Key("protocol").String(target.protocol);
  json.Key("address").String(target.address);
  json.Key("options").String(target.options);
  json.EndObject();
}

void WriteWorkload(JsonWriter& json, const std::vector<ItemDescription>& items) {
  json.Key("workload").BeginArray();
  for (const ItemDescription& item : items) {
    json.BeginObject();
    json.Key("name").String(item.name).Key("model").String(item.model);
    json.Key("version").String(item.version).Key("platform").String(item.platform);
    json.Key("model_hash").String(item.model_hash);
    json.Key("weight").Double(item.weight).Key("batch_size").Int(item.batch_size);
    json.Key("content_count").Uint(item.content_count).Key("inputs").String(item.inputs);
    json.EndObject();
  }
  json.EndArray();
}

void ReadGpus(const JsonReader& json, std::vector<GpuEnvironment>& gpus) {
  json.Each("gpus", [&gpus](const JsonReader& inner) {
    GpuEnvironment& gpu = gpus.emplace_back();
    inner.Read("name", gpu.name);
    inner.Read("uuid", gpu.uuid);
    inner.Read("memory_byte_size", gpu.memory_byte_size);
    inner.Read("capability", gpu.capability);
    inner.Read("power_limit_w", gpu.power_limit_w);
  });
}

void ReadEnvironmentBlock(const JsonReader& json, Environment& environment) {
  json.Object("environment", [&environment](const JsonReader& inner) {
    inner.Read("headrace_version", environment.headrace_version);
    inner.Read("git_id", environment.git_id);
    inner.Read("compiler", environment.compiler);
    inner.Read("kernel", environment.kernel);
    inner.Read("operating_system", environment.operating_system);
    inner.Read("cpu_model", environment.cpu_model);
    inner.Read("cpu_count", environment.cpu_count);
    inner.Read("physical_core_count", environment.physical_core_count);
    inner.Read("numa_node_count", environment.numa_node_count);
    inner.Read("governor", environment.governor);
    inner.Read("turbo", environment.turbo);
    inner.Read("smt", environment.smt);
    inner.Read("cpu_limit", environment.cpu_limit);
    inner.Read("memory_limit_byte_size", environment.memory_limit_byte_size);
    inner.Read("memory_byte_size", environment.memory_byte_size);
    ReadGpus(inner, environment.gpus);
    inner.Read("server_name", environment.server_name);
    inner.Read("server_version", environment.server_version);
  });
}

ResultDocument ReadDocument(const JsonReader& json) {
  ResultDocument document;
  json.Read("kind", document.kind);
  json.Read("name", document.name);
  json.Read("started_at", document.started_at);
  json.EachString("command_line", [&document](std::string_view argument) {
    document.command_line.emplace_back(argument);
  });
  json.Read("seed", document.seed);
  json.Read("interrupted", document.interrupted);
  ReadEnvironmentBlock(json, document.environment);
  json.Object("target", [&document](const JsonReader& inner) {
    inner.Read("protocol", document.target.protocol);
    inner.Read("address", document.target.address);
    inner.Read("options", document.target.options);
  });
  json.Each("workload", [&document](const JsonReader& inner) {
    ItemDescription& item = document.workload.emplace_back();
    inner.Read("name", item.name);
    inner.Read("model", item.model);
    inner.Read("version", item.version);
    inner.Read("platform", item.platform);
    inner.Read("model_hash", item.model_hash);
    inner.Read("weight", item.weight);
    inner.Read("batch_size", item.batch_size);
    inner.Read("content_count", item.content_count);
    inner.Read("inputs", item.inputs);
  });
  json.Each("levels",
            [&document](const JsonReader& inner) { document.levels.push_back(ReadLevel(inner)); });
  document.extension = json.Text("extension");
  return document;
}

}  // namespace

void WriteEnvironment(JsonWriter& json, const Environment& environment) {
  json.BeginObject();
  json.Key("headrace_version").String(environment.headrace_version);
  json.Key("git_id").String(environment.git_id);
  json.Key("compiler").String(environment.compiler);
  json.Key("kernel").String(environment.kernel);
  json.Key("operating_system").String(environment.operating_system);
  json.Key("cpu_model").String(environment.cpu_model);
  json.Key("cpu_count").Int(environment.cpu_count);
  json.Key("physical_core_count").Int(environment.physical_core_count);
  json.Key("numa_node_count").Int(environment.numa_node_count);
  json.Key("governor").String(environment.governor);
  WriteOptional(json, "turbo", environment.turbo, [&json](bool on) { json.Bool(on); });
  WriteOptional(json, "smt", environment.smt, [&json](bool on) { json.Bool(on); });
  WriteOptional(json, "cpu_limit", environment.cpu_limit, [&json](double n) { json.Double(n); });
  WriteOptional(json, "memory_limit_byte_size", environment.memory_limit_byte_size,
                [&json](std::uint64_t bytes) { json.Uint(bytes); });
  json.Key("memory_byte_size").Uint(environment.memory_byte_size);
  json.Key("gpus").BeginArray();
  for (const GpuEnvironment& gpu : environment.gpus) {
    json.BeginObject().Key("name").String(gpu.name).Key("uuid").String(gpu.uuid);
    json.Key("memory_byte_size").Uint(gpu.memory_byte_size);
    json.Key("capability").Double(gpu.capability);
    WriteOptional(json, "power_limit_w", gpu.power_limit_w, [&json](double w) { json.Double(w); });
    json.EndObject();
  }
  json.EndArray();
  json.Key("server_name").String(environment.server_name);
  json.Key("server_version").String(environment.server_version);
  json.EndObject();
}

std::string ToJson(const ResultDocument& document) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Key("schema_version").Int(kResultSchemaVersion);
  json.Key("kind").String(document.kind).Key("name").String(document.name);
  json.Key("started_at").String(document.started_at);
  json.Key("command_line").BeginArray();
  for (const std::string& argument : document.command_line) {
    json.String(argument);
  }
  json.EndArray();
  json.Key("seed").Uint(document.seed).Key("interrupted").Bool(document.interrupted);
  json.Key("environment");
  WriteEnvironment(json, document.environment);
  WriteTarget(json, document.target);
  WriteWorkload(json, document.workload);
  json.Key("levels").BeginArray();
  for (const LevelResult& level : document.levels) {
    WriteLevel(json, level);
  }
  json.EndArray();
  if (!document.extension.empty()) {
    json.Key("extension").Raw(document.extension);
  }
  json.EndObject();
  text += '\n';
  return text;
}

Result<ResultDocument> ParseResult(std::string_view text) {
  simdjson::dom::parser parser;
  if (parser.allocate(text.size() + 1, kDepthMax) != simdjson::SUCCESS) {
    return Status(StatusCode::kResourceExhausted, "too large");
  }
  simdjson::dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root);
      error != simdjson::SUCCESS) {
    return InvalidArgument("not JSON: {}", simdjson::error_message(error));
  }
  Status status;
  const JsonReader json(root, "", status);
  std::int64_t version = 0;
  json.Read("schema_version", version);
  HEADRACE_RETURN_IF_ERROR(status);
  if (version < 1) {
    return InvalidArgument(
        "it has no 'schema_version': it is no result of headrace bench, tune or optimize");
  }
  if (version > kResultSchemaVersion) {
    return FailedPrecondition(
        "it is of schema_version {}, and this program knows {}: read it with the program that "
        "wrote "
        "it, or a later one",
        version, kResultSchemaVersion);
  }
  ResultDocument document = ReadDocument(json);
  HEADRACE_RETURN_IF_ERROR(status);
  return document;
}

Status WriteResultFile(const std::string& path, const ResultDocument& document) {
  return WriteFile(path, ToJson(document));
}

Result<ResultDocument> ReadResultFile(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!file.valid() || ::fstat(file.get(), &facts) != 0) {
    return NotFound("{}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(facts.st_mode) || static_cast<std::uint64_t>(facts.st_size) > kFileByteSizeMax) {
    return InvalidArgument("{}: it is no file, or larger than 1 GiB", path);
  }
  std::string text(static_cast<std::size_t>(facts.st_size), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    filled += static_cast<std::size_t>(got);
  }
  text.resize(filled);
  Result<ResultDocument> document = ParseResult(text);
  if (!document.ok()) {
    return document.status().WithPrefix(path + ": ");
  }
  return document;
}

}  // namespace headrace::bench
