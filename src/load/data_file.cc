// perf_analyzer's JSON.
#include <utility>

#include "load/data_set.h"
#include "load/element_bytes.h"
#include "load/json_document.h"
#include "protocol/base64.h"

namespace headrace::load {
namespace {

constexpr std::size_t kStepCountMax = 1'000'000;

// Reads the steps of one member, "data" or "validation_data".
class StepReader {
 public:
  StepReader(std::string path, const Signature& signature, bool inputs)
      : path_(std::move(path)), signature_(signature), inputs_(inputs) {}

  Result<DataSet> Read(JsonElement root, std::string_view member) {
    const auto list = ArrayMember(root, member);
    if (!list) {
      return InvalidArgument(
          "{}: the member \"{}\" must be an array: one object for each request, or one array of "
          "objects for each sequence",
          path_, member);
    }
    if (list->size() == 0) {
      return InvalidArgument("{}: \"{}\" is empty", path_, member);
    }
    DataSet out;
    std::size_t index = 0;
    for (const JsonElement entry : *list) {
      const std::string where = fmt::format("{}: {}[{}]", path_, member, index++);
      JsonArray stream;
      if (entry.get(stream) != simdjson::SUCCESS) {
        HEADRACE_RETURN_IF_ERROR(Add(entry, where, out));
        if (!out.streams.empty()) {
          return InvalidArgument(
              "{}: {} stands among arrays; either all entries are arrays "
              "(sequences) or all are objects",
              where, JsonTypeName(entry));
        }
        continue;
      }
      if (out.streams.empty() && !out.steps.empty()) {
        return InvalidArgument(
            "{}: an array stands among objects; either all entries are arrays "
            "(sequences) or all are objects",
            where);
      }
      if (stream.size() == 0) {
        return InvalidArgument("{}: the sequence is empty", where);
      }
      const auto begin = static_cast<std::uint32_t>(out.steps.size());
      std::size_t step = 0;
      for (const JsonElement inner : stream) {
        HEADRACE_RETURN_IF_ERROR(Add(inner, fmt::format("{}[{}]", where, step++), out));
      }
      out.streams.push_back({begin, static_cast<std::uint32_t>(out.steps.size())});
    }
    return out;
  }

 private:
  Status Add(JsonElement entry, const std::string& where, DataSet& out) {
    JsonObject object;
    if (entry.get(object) != simdjson::SUCCESS) {
      return InvalidArgument("{}: this is {}, and an object with one member for each {} is wanted",
                             where, JsonTypeName(entry), inputs_ ? "input" : "output");
    }
    if (out.steps.size() == kStepCountMax) {
      return ResourceExhausted("{}: more than {} entries", path_, kStepCountMax);
    }
    Step step;
    step.where = where;
    for (const auto& [name, value] : object) {
      if (name == "model") {
        continue;  // some writers add it
      }
      const TensorSignature* tensor = inputs_ ? signature_.Input(name) : signature_.Output(name);
      if (tensor == nullptr) {
        return InvalidArgument("{}.{}: the model '{}' has no such {}; its inputs are {}", where,
                               name, signature_.model, inputs_ ? "input" : "output",
                               signature_.InputNames());
      }
      HEADRACE_ASSIGN_OR_RETURN(Row row,
                                ReadTensor(*tensor, value, where + "." + std::string(name)));
      (inputs_ ? step.inputs : step.outputs)[tensor->name] = std::move(row);
    }
    out.steps.push_back(std::move(step));
    return OkStatus();
  }

  Result<Row> ReadTensor(const TensorSignature& tensor, JsonElement value,
                         const std::string& where) {
    JsonElement content = value;
    std::optional<std::vector<std::int64_t>> dims;
    const bool plain = Member(value, "b64").has_value();
    if (value.is_object()) {
      if (const auto shape = Member(value, "shape")) {
        HEADRACE_ASSIGN_OR_RETURN(dims, ReadShape(*shape, where));
      }
      if (const auto inner = Member(value, "content"); inner && !plain) {
        content = *inner;
      } else if (!plain) {
        return InvalidArgument(
            "{}: the object has neither \"content\" nor \"b64\"; write {{\"content\": [...], "
            "\"shape\": [...]}}",
            where);
      }
    }
    HEADRACE_ASSIGN_OR_RETURN(std::string bytes, ReadContent(tensor, content, where));
    return inputs_ ? MakeRow(tensor, std::move(bytes), dims, where)
                   : MakeOutputRow(tensor, std::move(bytes), dims, where);
  }

  static Result<std::string> ReadContent(const TensorSignature& tensor, JsonElement content,
                                         const std::string& where) {
    if (!content.is_object()) {
      std::string bytes;
      HEADRACE_RETURN_IF_ERROR(PackJson(content, tensor.data_type, where, bytes));
      return bytes;
    }
    const auto encoded = Member(content, "b64");
    std::string_view text;
    if (!encoded || encoded->get(text) != simdjson::SUCCESS) {
      return InvalidArgument("{}: an array of elements is wanted, or {{\"b64\": \"...\"}}", where);
    }
    auto bytes = protocol::DecodeBase64(text);
    if (!bytes.ok()) {
      return bytes.status().WithPrefix(where + ".b64: ");
    }
    return bytes;
  }

  static Result<std::vector<std::int64_t>> ReadShape(JsonElement shape, const std::string& where) {
    std::vector<std::int64_t> dims;
    JsonArray list;
    if (shape.get(list) != simdjson::SUCCESS) {
      return InvalidArgument("{}.shape: {} is no array of dimensions", where, JsonTypeName(shape));
    }
    for (const JsonElement dim : list) {
      std::int64_t value = 0;
      if (dim.get(value) != simdjson::SUCCESS || value < 0) {
        return InvalidArgument("{}.shape[{}]: a dimension is a whole number from 0", where,
                               dims.size());
      }
      dims.push_back(value);
    }
    return dims;
  }

  const std::string path_;
  const Signature& signature_;
  const bool inputs_;
};

Status CheckInputs(const DataSet& set, const Signature& signature,
                   const std::map<std::string, std::string>& given) {
  for (const Step& step : set.steps) {
    for (const TensorSignature& input : signature.inputs) {
      if (!input.optional && !step.inputs.contains(input.name) && !given.contains(input.name)) {
        return InvalidArgument("{}: input '{}' is missing; the model '{}' takes {}", step.where,
                               input.name, signature.model, signature.InputNames());
      }
    }
  }
  return OkStatus();
}

bool SameStreams(const DataSet& a, const DataSet& b) {
  const auto same = [](const Stream& x, const Stream& y) {
    return x.begin == y.begin && x.end == y.end;
  };
  return a.steps.size() == b.steps.size() &&
         std::equal(a.streams.begin(), a.streams.end(), b.streams.begin(), b.streams.end(), same);
}

}  // namespace

Result<DataSet> ReadDataFile(const std::string& path, const Signature& signature,
                             const std::map<std::string, std::string>& given) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::ReadFile(path));
  if (!Member(document.root(), "data")) {
    return InvalidArgument("{}: the document has no member \"data\"", path);
  }
  HEADRACE_ASSIGN_OR_RETURN(DataSet set,
                            StepReader(path, signature, true).Read(document.root(), "data"));
  HEADRACE_RETURN_IF_ERROR(CheckInputs(set, signature, given));
  if (Member(document.root(), "validation_data")) {
    HEADRACE_ASSIGN_OR_RETURN(
        DataSet expected,
        StepReader(path, signature, false).Read(document.root(), "validation_data"));
    if (!SameStreams(set, expected)) {
      return InvalidArgument("{}: \"validation_data\" must have as many entries as \"data\" ({})",
                             path, set.steps.size());
    }
    for (std::size_t i = 0; i < set.steps.size(); ++i) {
      set.steps[i].outputs = std::move(expected.steps[i].outputs);
    }
  }
  return set;
}

Result<DataSet> ReadGoldenFile(const std::string& path, const Signature& signature) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::ReadFile(path));
  if (!Member(document.root(), "validation_data")) {
    return InvalidArgument("{}: the document has no member \"validation_data\"", path);
  }
  return StepReader(path, signature, false).Read(document.root(), "validation_data");
}

}  // namespace headrace::load
