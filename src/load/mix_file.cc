// Mix files: several kinds of requests with weights.
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "load/file_bytes.h"
#include "load/json_document.h"
#include "load/workload_spec.h"
#include "repository/yaml_json.h"

namespace headrace::load {
namespace {

constexpr std::size_t kItemCountMax = 10'000;
constexpr double kWeightMax = 1e9;

struct WeightedShapes {
  double weight = 1;
  std::map<std::string, std::vector<std::int64_t>> shapes;
};

// Reads one entry. `where` is its path, "mix.yaml: items[2]".
class ItemReader {
 public:
  ItemReader(std::string where, std::string folder, const ItemSpec& defaults)
      : where_(std::move(where)), folder_(std::move(folder)), item_(defaults) {}

  // The entry's items: one, or one for each of its shapes.
  Result<std::vector<ItemSpec>> Read(JsonElement entry) {
    JsonObject fields;
    if (entry.get(fields) != simdjson::SUCCESS) {
      return InvalidArgument("{}: this is {}, and an item is an object (model: ..., weight: ...)",
                             where_, JsonTypeName(entry));
    }
    for (const auto& [name, value] : fields) {
      HEADRACE_RETURN_IF_ERROR(ReadField(name, value));
    }
    if (shapes_.empty()) {
      return std::vector<ItemSpec>{std::move(item_)};
    }
    std::vector<ItemSpec> items;
    for (WeightedShapes& choice : shapes_) {
      ItemSpec item = item_;
      item.weight *= choice.weight;
      if (shapes_.size() > 1) {
        item.name = (item.name.empty() ? item.model : item.name) + NameOf(choice);
      }
      for (auto& [input, dims] : choice.shapes) {
        item.shapes[input] = std::move(dims);
      }
      items.push_back(std::move(item));
    }
    return items;
  }

 private:
  using Setter = Status (ItemReader::*)(const std::string& where, JsonElement value);
  struct Field {
    std::string_view name;
    Setter set;
  };

  // " 3x224x224": what tells the items of one entry apart.
  static std::string NameOf(const WeightedShapes& choice) {
    std::string name;
    for (const auto& [input, dims] : choice.shapes) {
      name += " ";
      for (std::size_t i = 0; i < dims.size(); ++i) {
        name += fmt::format("{}{}", i == 0 ? "" : "x", dims[i]);
      }
    }
    return name;
  }

  Status ReadField(std::string_view name, JsonElement value) {
    static constexpr std::array kFields = {
        Field{"model", &ItemReader::SetModel},
        Field{"name", &ItemReader::SetName},
        Field{"version", &ItemReader::SetVersion},
        Field{"weight", &ItemReader::SetWeight},
        Field{"batch_size", &ItemReader::SetBatchSize},
        Field{"data", &ItemReader::SetData},
        Field{"inputs", &ItemReader::SetInputs},
        Field{"shapes", &ItemReader::SetShapes},
        Field{"random_count", &ItemReader::SetRandomCount},
        Field{"string_data", &ItemReader::SetStringData},
        Field{"string_length", &ItemReader::SetStringLength},
        Field{"content_type", &ItemReader::SetContentType},
        Field{"scaling", &ItemReader::SetScaling},
        Field{"golden", &ItemReader::SetGolden},
        Field{"outputs", &ItemReader::SetOutputs},
        Field{"parameters", &ItemReader::SetParameters},
        Field{"priority", &ItemReader::SetPriority},
        Field{"timeout_ms", &ItemReader::SetTimeout},
        Field{"sla_ms", &ItemReader::SetSla},
        Field{"sequences", &ItemReader::SetSequences},
    };
    std::string names;
    for (const Field& field : kFields) {
      if (field.name == name) {
        return (this->*field.set)(fmt::format("{}.{}", where_, name), value);
      }
      names += fmt::format("{}{}", names.empty() ? "" : ", ", field.name);
    }
    return InvalidArgument("{}.{}: there is no such field; there are {}", where_, name, names);
  }

  // Scalars that YAML may have made a number of are taken as they are written.
  static Status ReadText(const std::string& where, JsonElement value, std::string& out) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) {
      out = text;
      return OkStatus();
    }
    if (value.is_number() || value.is_bool()) {
      out = simdjson::minify(value);
      return OkStatus();
    }
    return InvalidArgument("{}: {} is no text", where, JsonTypeName(value));
  }
  static Status ReadNumber(const std::string& where, JsonElement value, double min, double max,
                           double& out) {
    double number = 0;
    if (value.get(number) != simdjson::SUCCESS || !(number >= min && number <= max)) {
      return InvalidArgument("{}: a number from {} to {} is wanted", where, min, max);
    }
    out = number;
    return OkStatus();
  }
  template <typename T>
  static Status ReadInteger(const std::string& where, JsonElement value, std::int64_t min,
                            std::int64_t max, T& out) {
    std::int64_t number = 0;
    if (value.get(number) != simdjson::SUCCESS || number < min || number > max) {
      return InvalidArgument("{}: a whole number from {} to {} is wanted", where, min, max);
    }
    out = static_cast<T>(number);
    return OkStatus();
  }

  // A path as it was written in the file: from the file's own folder.
  std::string Resolve(const std::string& source) const {
    const bool path = source != "random" && source != "zero" && !source.starts_with('/');
    return path ? folder_ + source : source;
  }

  Status SetModel(const std::string& where, JsonElement value) {
    return ReadText(where, value, item_.model);
  }
  Status SetName(const std::string& where, JsonElement value) {
    return ReadText(where, value, item_.name);
  }
  Status SetVersion(const std::string& where, JsonElement value) {
    return ReadText(where, value, item_.version);
  }
  Status SetWeight(const std::string& where, JsonElement value) {
    HEADRACE_RETURN_IF_ERROR(ReadNumber(where, value, 0, kWeightMax, item_.weight));
    return item_.weight > 0 ? OkStatus() : InvalidArgument("{}: it must be above 0", where);
  }
  Status SetBatchSize(const std::string& where, JsonElement value) {
    return ReadInteger(where, value, 1, 1 << 20, item_.batch_size);
  }
  Status SetRandomCount(const std::string& where, JsonElement value) {
    return ReadInteger(where, value, 1, 100'000, item_.random_count);
  }
  Status SetStringData(const std::string& where, JsonElement value) {
    return ReadText(where, value, item_.string_data.emplace());
  }
  Status SetStringLength(const std::string& where, JsonElement value) {
    return ReadInteger(where, value, 0, 1 << 30, item_.string_length);
  }
  Status SetContentType(const std::string& where, JsonElement value) {
    return ReadText(where, value, item_.content_type);
  }
  Status SetScaling(const std::string& where, JsonElement value) {
    std::string text;
    HEADRACE_RETURN_IF_ERROR(ReadText(where, value, text));
    const auto scaling = ParsePixelScaling(text);
    if (!scaling.ok()) {
      return scaling.status().WithPrefix(where + ": ");
    }
    item_.scaling = *scaling;
    return OkStatus();
  }
  Status SetGolden(const std::string& where, JsonElement value) {
    std::string path;
    HEADRACE_RETURN_IF_ERROR(ReadText(where, value, path));
    item_.golden_file = Resolve(path);
    return OkStatus();
  }
  Status SetData(const std::string& where, JsonElement value) {
    item_.data.clear();
    return EachText(where, value,
                    [&](const std::string& source) { item_.data.push_back(Resolve(source)); });
  }
  Status SetOutputs(const std::string& where, JsonElement value) {
    item_.outputs.clear();
    return EachText(where, value,
                    [&](const std::string& output) { item_.outputs.push_back(output); });
  }
  // One text, or a list of them.
  static Status EachText(const std::string& where, JsonElement value,
                         const std::function<void(const std::string&)>& take) {
    JsonArray list;
    std::string text;
    if (value.get(list) != simdjson::SUCCESS) {
      HEADRACE_RETURN_IF_ERROR(ReadText(where, value, text));
      take(text);
      return OkStatus();
    }
    std::size_t index = 0;
    for (const JsonElement entry : list) {
      HEADRACE_RETURN_IF_ERROR(ReadText(fmt::format("{}[{}]", where, index++), entry, text));
      take(text);
    }
    return OkStatus();
  }
  Status SetInputs(const std::string& where, JsonElement value) {
    JsonObject inputs;
    if (value.get(inputs) != simdjson::SUCCESS) {
      return InvalidArgument("{}: write NAME: random, zero or FILE for each", where);
    }
    for (const auto& [name, source] : inputs) {
      std::string text;
      HEADRACE_RETURN_IF_ERROR(ReadText(fmt::format("{}.{}", where, name), source, text));
      item_.input_data[std::string(name)] = Resolve(text);
    }
    return OkStatus();
  }
  Status SetParameters(const std::string& where, JsonElement value) {
    JsonObject parameters;
    if (value.get(parameters) != simdjson::SUCCESS) {
      return InvalidArgument("{}: write NAME: VALUE for each", where);
    }
    for (const auto& [name, parameter] : parameters) {
      if (parameter.is_object() || parameter.is_array() || parameter.is_null()) {
        return InvalidArgument("{}.{}: a parameter is a text, a number, true or false", where,
                               name);
      }
      item_.parameters.emplace_back(name, simdjson::minify(parameter));
    }
    return OkStatus();
  }
  Status SetPriority(const std::string& where, JsonElement value) {
    return ReadInteger(where, value, 0, UINT32_MAX, item_.priority);
  }
  Status SetTimeout(const std::string& where, JsonElement value) {
    double milliseconds = 0;
    HEADRACE_RETURN_IF_ERROR(ReadNumber(where, value, 0, 1e9, milliseconds));
    item_.timeout_us = static_cast<std::uint64_t>(std::llround(milliseconds * 1000));
    return OkStatus();
  }
  Status SetSla(const std::string& where, JsonElement value) {
    double milliseconds = 0;
    HEADRACE_RETURN_IF_ERROR(ReadNumber(where, value, 0, 1e9, milliseconds));
    item_.sla = static_cast<Nanos>(std::llround(milliseconds * static_cast<double>(kMillisecond)));
    return OkStatus();
  }
  Status SetSequences(const std::string& where, JsonElement value) {
    JsonObject fields;
    if (value.get(fields) != simdjson::SUCCESS) {
      return InvalidArgument("{}: write {{concurrent: N, length: N, variation: 0.2}}", where);
    }
    for (const auto& [name, field] : fields) {
      const std::string path = fmt::format("{}.{}", where, name);
      if (name == "concurrent") {
        HEADRACE_RETURN_IF_ERROR(ReadInteger(path, field, 0, 1 << 20, item_.sequences.concurrent));
      } else if (name == "length") {
        HEADRACE_RETURN_IF_ERROR(ReadInteger(path, field, 1, 1 << 30, item_.sequences.length));
        item_.sequences.length_given = true;
      } else if (name == "variation") {
        HEADRACE_RETURN_IF_ERROR(ReadNumber(path, field, 0, 1, item_.sequences.length_variation));
      } else {
        return InvalidArgument(
            "{}: there is no such field; there are concurrent, length, variation", path);
      }
    }
    return OkStatus();
  }

  // {NAME: [D, D]}, or a list of them with weights.
  Status SetShapes(const std::string& where, JsonElement value) {
    JsonArray list;
    if (value.get(list) != simdjson::SUCCESS) {
      return ReadShapes(where, value);
    }
    std::size_t index = 0;
    for (const JsonElement entry : list) {
      HEADRACE_RETURN_IF_ERROR(ReadShapes(fmt::format("{}[{}]", where, index++), entry));
    }
    return OkStatus();
  }
  Status ReadShapes(const std::string& where, JsonElement value) {
    JsonObject fields;
    if (value.get(fields) != simdjson::SUCCESS) {
      return InvalidArgument("{}: write {{NAME: [D, D], weight: N}}", where);
    }
    WeightedShapes choice;
    for (const auto& [name, field] : fields) {
      const std::string path = fmt::format("{}.{}", where, name);
      if (name == "weight" && field.is_number()) {
        HEADRACE_RETURN_IF_ERROR(ReadNumber(path, field, 1e-9, kWeightMax, choice.weight));
        continue;
      }
      JsonArray dims;
      if (field.get(dims) != simdjson::SUCCESS) {
        return InvalidArgument("{}: {} is no list of dimensions", path, JsonTypeName(field));
      }
      std::vector<std::int64_t>& shape = choice.shapes[std::string(name)];
      for (const JsonElement dim : dims) {
        std::int64_t value_of_dim = 0;
        HEADRACE_RETURN_IF_ERROR(ReadInteger(fmt::format("{}[{}]", path, shape.size()), dim, 0,
                                             INT32_MAX, value_of_dim));
        shape.push_back(value_of_dim);
      }
    }
    shapes_.push_back(std::move(choice));
    return OkStatus();
  }

  const std::string where_, folder_;
  ItemSpec item_;
  std::vector<WeightedShapes> shapes_;
};

}  // namespace

Result<std::vector<ItemSpec>> ReadMix(const std::string& path, const ItemSpec& defaults) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string yaml,
                            ReadFileBytes(path, repository::kYamlByteSizeMax));
  const auto json = repository::YamlToJson(yaml);
  if (!json.ok()) {
    return json.status().WithPrefix(path + ": ");
  }
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(*json, path));
  JsonArray list;
  if (document.root().get(list) != simdjson::SUCCESS) {
    const auto items = ArrayMember(document.root(), "items");
    JsonObject root;
    if (!items || document.root().get(root) != simdjson::SUCCESS || root.size() != 1) {
      return InvalidArgument("{}: a mix is a list of items, or an object with \"items\" alone",
                             path);
    }
    list = *items;
  }
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  std::vector<ItemSpec> items;
  std::size_t index = 0;
  for (const JsonElement entry : list) {
    ItemReader reader(fmt::format("{}: items[{}]", path, index++), folder, defaults);
    HEADRACE_ASSIGN_OR_RETURN(std::vector<ItemSpec> more, reader.Read(entry));
    std::move(more.begin(), more.end(), std::back_inserter(items));
    if (items.size() > kItemCountMax) {
      return ResourceExhausted("{}: more than {} items", path, kItemCountMax);
    }
  }
  if (items.empty()) {
    return InvalidArgument("{}: the mix is empty", path);
  }
  return items;
}

}  // namespace headrace::load
