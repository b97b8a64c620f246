#include "repository/variant_manifest.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

#include "base/log.h"
#include "repository/names.h"
#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

constexpr std::size_t kDepthMax = 32;
constexpr std::size_t kTextByteSizeMax = 4096;
constexpr std::size_t kNameByteSizeMax = 128;
constexpr std::int64_t kSchemaVersion = 1;

template <typename... Parts>
Status Fault(fmt::format_string<Parts...> form, Parts&&... parts) {
  return InvalidArgument("{}/{}: {}", kVariantsDirectory, kVariantManifestFile,
                         fmt::format(form, std::forward<Parts>(parts)...));
}

// A member that may be missing; a wrong type is a fault. simdjson looks members up in linear time,
// which the limit on the manifest's size bounds.
bool Find(dom::object object, std::string_view key, dom::element& element) {
  return object.at_key(key).get(element) == simdjson::SUCCESS && !element.is_null();
}

Result<std::string> Text(dom::object object, std::string_view key) {
  dom::element element;
  std::string_view text;
  if (!Find(object, key, element)) {
    return std::string();
  }
  if (element.get(text) != simdjson::SUCCESS || text.size() > kTextByteSizeMax ||
      text.find('\0') != std::string_view::npos) {
    return Fault("'{}' must be a string of at most {} bytes", key, kTextByteSizeMax);
  }
  return std::string(text);
}

Result<double> Number(dom::object object, std::string_view key) {
  dom::element element;
  double number = 0;
  if (!Find(object, key, element) || element.get(number) != simdjson::SUCCESS ||
      !std::isfinite(number) || number < 0) {
    return Fault("'{}' must be a number of at least 0", key);
  }
  return number;
}

Result<std::optional<int>> SmallNumber(dom::object object, std::string_view key, std::int64_t low,
                                       std::int64_t high) {
  dom::element element;
  std::int64_t number = 0;
  if (!Find(object, key, element)) {
    return std::optional<int>();
  }
  if (element.get(number) != simdjson::SUCCESS || number < low || number > high) {
    return Fault("'{}' must be a whole number from {} to {}", key, low, high);
  }
  return std::optional<int>(static_cast<int>(number));
}

Result<dom::object> Object(dom::object object, std::string_view key) {
  dom::element element;
  dom::object inner;
  if (!Find(object, key, element) || element.get(inner) != simdjson::SUCCESS) {
    return Fault("'{}' must be an object", key);
  }
  return inner;
}

Result<dom::array> Array(dom::object object, std::string_view key, std::size_t count_max) {
  dom::element element;
  dom::array inner;
  if (!Find(object, key, element) || element.get(inner) != simdjson::SUCCESS) {
    return Fault("'{}' must be an array", key);
  }
  if (inner.size() > count_max) {
    return Fault("'{}' has {} entries, the limit is {}", key, inner.size(), count_max);
  }
  return inner;
}

Result<std::map<std::string, std::string>> Texts(dom::object object, std::string_view key,
                                                 std::size_t count_max) {
  HEADRACE_ASSIGN_OR_RETURN(const dom::object inner, Object(object, key));
  std::map<std::string, std::string> texts;
  for (const auto& [name, value] : inner) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS || text.size() > kTextByteSizeMax ||
        name.size() > kNameByteSizeMax || name.empty() || texts.size() >= count_max) {
      return Fault("'{}' must hold at most {} strings", key, count_max);
    }
    texts.emplace(name, text);
  }
  return texts;
}

Status CheckPath(std::string_view path) {
  const fs::path parsed(path);
  if (path.empty() || parsed.is_absolute() ||
      std::any_of(parsed.begin(), parsed.end(), [](const fs::path& part) {
        return part == ".." || part == "." || part.empty();
      })) {
    return Fault("'{}' is no path below the directory", EscapeForLog(path, 128));
  }
  return OkStatus();
}

bool IsDigest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<std::vector<ListedFile>> Files(dom::object object, std::string_view key) {
  HEADRACE_ASSIGN_OR_RETURN(const dom::array entries, Array(object, key, kVariantFileCountMax));
  std::vector<ListedFile> files;
  for (const dom::element entry : entries) {
    dom::object described;
    if (entry.get(described) != simdjson::SUCCESS) {
      return Fault("'{}' must be an array of objects", key);
    }
    ListedFile file;
    HEADRACE_ASSIGN_OR_RETURN(file.path, Text(described, "path"));
    HEADRACE_RETURN_IF_ERROR(CheckPath(file.path));
    HEADRACE_ASSIGN_OR_RETURN(file.sha256, Text(described, "sha256"));
    if (!IsDigest(file.sha256)) {
      return Fault("'sha256' of '{}' is no SHA-256", EscapeForLog(file.path, 128));
    }
    if (described["byte_size"].get(file.byte_size) != simdjson::SUCCESS) {
      return Fault("'byte_size' of '{}' is no size", EscapeForLog(file.path, 128));
    }
    files.push_back(std::move(file));
  }
  return files;
}

Status ReadNeeds(dom::object object, Variant& variant) {
  HEADRACE_ASSIGN_OR_RETURN(variant.architecture, Text(object, "architecture"));
  HEADRACE_ASSIGN_OR_RETURN(const dom::array sets,
                            Array(object, "instruction_sets", kVariantParameterCountMax));
  for (const dom::element entry : sets) {
    std::string_view name;
    if (entry.get(name) != simdjson::SUCCESS || name.empty() || name.size() > kNameByteSizeMax) {
      return Fault("'instruction_sets' must be names");
    }
    variant.instruction_sets.emplace_back(name);
  }
  HEADRACE_ASSIGN_OR_RETURN(variant.runtimes, Texts(object, "runtimes", kVariantParameterCountMax));
  return OkStatus();
}

Status ReadFigures(dom::object object, Variant& variant) {
  HEADRACE_ASSIGN_OR_RETURN(const dom::object accuracy, Object(object, "accuracy"));
  if (accuracy["accepted"].get(variant.accepted) != simdjson::SUCCESS) {
    return Fault("'accuracy.accepted' must be true or false");
  }
  HEADRACE_ASSIGN_OR_RETURN(const dom::object measured, Object(object, "measured"));
  HEADRACE_ASSIGN_OR_RETURN(variant.items_per_s, Number(measured, "items_per_s"));
  HEADRACE_ASSIGN_OR_RETURN(const dom::object speed_up, Object(measured, "speed_up"));
  HEADRACE_ASSIGN_OR_RETURN(variant.speed_up_low, Number(speed_up, "low"));
  return OkStatus();
}

Status CheckFile(const Variant& variant) {
  if (variant.file.empty()) {
    return OkStatus();
  }
  HEADRACE_RETURN_IF_ERROR(CheckPath(variant.file));
  const bool listed =
      std::any_of(variant.files.begin(), variant.files.end(),
                  [&](const ListedFile& file) { return file.path == variant.file; });
  return listed ? OkStatus()
                : Fault("'file' names '{}', which 'files' does not list",
                        EscapeForLog(variant.file, 128));
}

Result<Variant> ReadVariant(dom::element element) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) {
    return Fault("'variants' must be an array of objects");
  }
  Variant variant;
  HEADRACE_ASSIGN_OR_RETURN(variant.name, Text(object, "name"));
  // A name of a directory, as those of models are.
  if (!CheckModelName(variant.name).ok() || variant.name == "best" || variant.name == "off" ||
      variant.name == "applied") {
    return Fault("'{}' is no name of a variant", EscapeForLog(variant.name, kNameByteSizeMax));
  }
  const auto with_name = [&](const Status& status) {
    return status.WithPrefix(fmt::format("variant '{}': ", variant.name));
  };
  HEADRACE_ASSIGN_OR_RETURN(variant.backend, Text(object, "backend"));
  if (Status status = CheckLibraryName("backend", variant.backend, variant.name); !status.ok()) {
    return with_name(status);
  }
  HEADRACE_ASSIGN_OR_RETURN(variant.file, Text(object, "file"));
  HEADRACE_ASSIGN_OR_RETURN(variant.files, Files(object, "files"));
  if (Status status = CheckFile(variant); !status.ok()) {
    return with_name(status);
  }
  HEADRACE_ASSIGN_OR_RETURN(variant.parameters,
                            Texts(object, "parameters", kVariantParameterCountMax));
  HEADRACE_ASSIGN_OR_RETURN(variant.instance_count,
                            SmallNumber(object, "instances", 1, kVariantInstanceCountMax));
  HEADRACE_ASSIGN_OR_RETURN(variant.graph_level, SmallNumber(object, "graph_level", -1, 99));
  HEADRACE_ASSIGN_OR_RETURN(const dom::object needs, Object(object, "needs"));
  HEADRACE_RETURN_IF_ERROR(ReadNeeds(needs, variant));
  HEADRACE_RETURN_IF_ERROR(ReadFigures(object, variant));
  return variant;
}

}  // namespace

Result<VariantManifest> ParseVariantManifest(std::string_view json) {
  dom::parser parser;
  dom::object root;
  if (json.size() > kVariantManifestByteSizeMax) {
    return Fault("it has more than {} bytes", kVariantManifestByteSizeMax);
  }
  if (parser.allocate(json.size(), kDepthMax) != simdjson::SUCCESS) {
    return Internal("no memory to read {}", kVariantManifestFile);
  }
  if (const auto error = parser.parse(json.data(), json.size()).get(root);
      error != simdjson::SUCCESS) {
    return Fault("it is no JSON object: {}", simdjson::error_message(error));
  }
  std::int64_t schema = 0;
  if (root["schema_version"].get(schema) != simdjson::SUCCESS || schema != kSchemaVersion) {
    return Fault("'schema_version' is not {}: run headrace optimize again", kSchemaVersion);
  }
  VariantManifest manifest;
  HEADRACE_ASSIGN_OR_RETURN(manifest.applied, Text(root, "applied"));
  HEADRACE_ASSIGN_OR_RETURN(const dom::object source, Object(root, "source"));
  HEADRACE_ASSIGN_OR_RETURN(manifest.source_files, Files(source, "files"));
  if (manifest.source_files.empty()) {
    return Fault("'source.files' is empty: what the variants were made of is not known");
  }
  HEADRACE_ASSIGN_OR_RETURN(const dom::array variants, Array(root, "variants", kVariantCountMax));
  std::set<std::string> names;
  for (const dom::element element : variants) {
    HEADRACE_ASSIGN_OR_RETURN(Variant variant, ReadVariant(element));
    if (!names.insert(variant.name).second) {
      return Fault("there are two variants '{}'", variant.name);
    }
    manifest.variants.push_back(std::move(variant));
  }
  return manifest;
}

Result<VariantManifest> ReadVariantManifest(const std::string& root,
                                            const std::string& version_directory) {
  const std::string name = fmt::format("{}/{}", kVariantsDirectory, kVariantManifestFile);
  HEADRACE_ASSIGN_OR_RETURN(const std::string path, ResolveInside(root, version_directory, name));
  HEADRACE_ASSIGN_OR_RETURN(const std::string json, ReadFile(path, kVariantManifestByteSizeMax));
  return ParseVariantManifest(json);
}

}  // namespace headrace::repository
