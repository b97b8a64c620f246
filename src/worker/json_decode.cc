#include "protocol/json_cursor.h"
#include "worker/json_messages.h"

namespace headrace::worker {
namespace {

using protocol::JsonCursor;
using protocol::JsonType;

constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kListSizeMax = 4096;
// Of a model's error; what is longer is cut (reliability row 171).
constexpr std::size_t kErrorByteSizeMax = 64 * 1024;

void ReadText(JsonCursor& cursor, std::string& text) {
  std::string_view view;
  if (cursor.ReadString(view)) {
    text = view;
  }
}

void ReadNumber(JsonCursor& cursor, std::optional<std::uint64_t>& number) {
  cursor.ReadUint(number.emplace());
}

// {"code", "message"}; null is no error.
void ReadError(JsonCursor& cursor, Status& error) {
  if (cursor.Type() == JsonType::kNull) {
    cursor.Skip();
    return;
  }
  std::string code, message;
  if (!cursor.EnterObject()) {
    return;
  }
  for (std::string_view key; cursor.NextField(key);) {
    if (key == "code") {
      ReadText(cursor, code);
    } else if (key == "message") {
      ReadText(cursor, message);
    } else {
      cursor.Skip();
    }
  }
  if (message.size() > kErrorByteSizeMax) {
    message.resize(kErrorByteSizeMax);
    message += "...";
  }
  error = Status(CodeFromName(code), std::move(message));
}

void ReadValue(JsonCursor& cursor, ParameterValue& value) {
  switch (cursor.Type()) {
    case JsonType::kBool:
      cursor.ReadBool(value.emplace<bool>());
      break;
    case JsonType::kNumber:
      if (cursor.IsInteger()) {
        cursor.ReadInt(value.emplace<std::int64_t>());
      } else {
        cursor.ReadDouble(value.emplace<double>());
      }
      break;
    default:
      ReadText(cursor, value.emplace<std::string>());
  }
}

void ReadParameters(JsonCursor& cursor, std::vector<Parameter>& parameters) {
  if (!cursor.EnterObject()) {
    return;
  }
  for (std::string_view key; cursor.NextField(key);) {
    ReadValue(cursor, parameters.emplace_back(Parameter{std::string(key), {}}).value);
  }
}

template <typename T, typename F>
void ReadList(JsonCursor& cursor, std::vector<T>& list, F read) {
  if (!cursor.EnterArray()) {
    return;
  }
  while (cursor.NextElement()) {
    if (list.size() == kListSizeMax) {
      cursor.Fail(InvalidArgument("a list of more than {} elements", kListSizeMax));
      return;
    }
    read(cursor, list.emplace_back());
  }
}

void ReadDouble(JsonCursor& cursor, double& value) { cursor.ReadDouble(value); }

void ReadLabels(JsonCursor& cursor, std::vector<std::pair<std::string, std::string>>& labels) {
  if (!cursor.EnterObject()) {
    return;
  }
  for (std::string_view key; cursor.NextField(key);) {
    ReadText(cursor, labels.emplace_back(std::string(key), std::string()).second);
  }
}

// [offset, size]
void ReadPlace(JsonCursor& cursor, ControlMessage::File& file) {
  std::vector<std::uint64_t> numbers;
  ReadList(cursor, numbers,
           [](JsonCursor& element, std::uint64_t& number) { element.ReadUint(number); });
  if (numbers.size() != 2) {
    cursor.Fail(InvalidArgument("a file's place is no [offset, size]"));
    return;
  }
  file.offset = numbers[0];
  file.byte_size = numbers[1];
}

void ReadFiles(JsonCursor& cursor, std::vector<ControlMessage::File>& files) {
  if (!cursor.EnterObject()) {
    return;
  }
  for (std::string_view key; cursor.NextField(key);) {
    ControlMessage::File& file = files.emplace_back();
    file.path = key;
    ReadPlace(cursor, file);
  }
}

LogLevel LevelOf(std::string_view name) {
  return name == "VERBOSE"   ? LogLevel::kVerbose
         : name == "WARNING" ? LogLevel::kWarning
         : name == "ERROR"   ? LogLevel::kError
                             : LogLevel::kInfo;
}

}  // namespace

// Calls `member(key)` for each member; false from it passes over the value.
template <typename F>
Status JsonDecoder::Read(std::string_view json, F member) {
  cursor_.Open(json, kDepthMax);
  for (std::string_view key; cursor_.NextField(key);) {
    if (!member(key)) {
      cursor_.Skip();
    }
  }
  cursor_.Close();
  Status status =
      cursor_.status().ok() ? OkStatus() : InvalidArgument("{}", cursor_.status().message());
  cursor_.Trim();
  return status;
}

Result<HelloMessage> JsonDecoder::Hello(std::string_view json) {
  HelloMessage hello;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "protocol") {
      cursor_.ReadInt(hello.protocol);
    } else if (key == "python") {
      ReadText(cursor_, hello.python);
    } else if (key == "numpy") {
      ReadText(cursor_, hello.numpy);
    } else {
      return false;
    }
    return true;
  }));
  return hello;
}

Result<std::optional<std::string>> JsonDecoder::Config(std::string_view json) {
  std::optional<std::string> config;
  Status error;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "config" && cursor_.Type() == JsonType::kString) {
      ReadText(cursor_, config.emplace());
    } else if (key == "error") {
      ReadError(cursor_, error);
    } else {
      return false;
    }
    return true;
  }));
  HEADRACE_RETURN_IF_ERROR(error);
  return config;
}

Result<LoadedMessage> JsonDecoder::Loaded(std::string_view json) {
  LoadedMessage loaded;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "error") {
      ReadError(cursor_, loaded.error);
    } else if (key == "is_ready") {
      cursor_.ReadBool(loaded.says_ready);
    } else {
      return false;
    }
    return true;
  }));
  return loaded;
}

Result<ResponseExtras> JsonDecoder::Response(std::string_view json) {
  ResponseExtras extras;
  if (json.empty()) {
    return extras;
  }
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "error") {
      ReadError(cursor_, extras.error);
    } else if (key == "parameters") {
      ReadParameters(cursor_, extras.parameters);
    } else {
      return false;
    }
    return true;
  }));
  return extras;
}

Result<CallExtras> JsonDecoder::Call(std::string_view json) {
  CallExtras extras;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "id") {
      ReadText(cursor_, extras.id);
    } else if (key == "correlation_id") {
      ReadText(cursor_, extras.correlation_id);
    } else if (key == "model_name") {
      ReadText(cursor_, extras.model_name);
    } else if (key == "model_version") {
      cursor_.ReadInt(extras.model_version);
    } else if (key == "parameters") {
      ReadParameters(cursor_, extras.parameters);
    } else if (key == "wanted_outputs") {
      ReadList(cursor_, extras.wanted_outputs, ReadText);
    } else if (key == "priority") {
      cursor_.ReadUint(extras.priority);
    } else if (key == "parent" && cursor_.Type() == JsonType::kNumber) {
      ReadNumber(cursor_, extras.parent);
    } else if (key == "decoupled") {
      cursor_.ReadBool(extras.decoupled);
    } else {
      return false;
    }
    return true;
  }));
  return extras;
}

Result<LogFromWorker> JsonDecoder::Log(std::string_view json) {
  LogFromWorker entry;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    std::string level;
    if (key == "level") {
      ReadText(cursor_, level);
      entry.level = LevelOf(level);
    } else if (key == "message") {
      ReadText(cursor_, entry.message);
    } else if (key == "file") {
      ReadText(cursor_, entry.file);
    } else if (key == "line") {
      cursor_.ReadInt(entry.line);
    } else {
      return false;
    }
    return true;
  }));
  return entry;
}

Result<MetricMessage> JsonDecoder::Metric(std::string_view json) {
  MetricMessage metric;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "op") {
      ReadText(cursor_, metric.op);
    } else if (key == "id") {
      cursor_.ReadUint(metric.id);
    } else if (key == "family") {
      cursor_.ReadUint(metric.family);
    } else if (key == "call" && cursor_.Type() == JsonType::kNumber) {
      ReadNumber(cursor_, metric.call);
    } else if (key == "name") {
      ReadText(cursor_, metric.name);
    } else if (key == "description") {
      ReadText(cursor_, metric.description);
    } else if (key == "kind") {
      ReadText(cursor_, metric.kind);
    } else if (key == "labels") {
      ReadLabels(cursor_, metric.labels);
    } else if (key == "buckets") {
      ReadList(cursor_, metric.buckets, ReadDouble);
    } else if (key == "value") {
      cursor_.ReadDouble(metric.value);
    } else {
      return false;
    }
    return true;
  }));
  return metric;
}

Result<ControlMessage> JsonDecoder::Control(std::string_view json) {
  ControlMessage control;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "op") {
      ReadText(cursor_, control.op);
    } else if (key == "id") {
      cursor_.ReadUint(control.id);
    } else if (key == "model_name") {
      ReadText(cursor_, control.model_name);
    } else if (key == "model_version") {
      ReadText(cursor_, control.model_version);
    } else if (key == "config") {
      ReadText(cursor_, control.config);
    } else if (key == "unload_dependents") {
      cursor_.ReadBool(control.unload_dependents);
    } else if (key == "files") {
      ReadFiles(cursor_, control.files);
    } else {
      return false;
    }
    return true;
  }));
  return control;
}

Result<ReadinessMessage> JsonDecoder::Readiness(std::string_view json) {
  ReadinessMessage readiness;
  HEADRACE_RETURN_IF_ERROR(Read(json, [&](std::string_view key) {
    if (key == "id") {
      cursor_.ReadUint(readiness.id);
    } else if (key == "ready") {
      cursor_.ReadBool(readiness.ready);
    } else if (key == "error") {
      ReadError(cursor_, readiness.error);
    } else {
      return false;
    }
    return true;
  }));
  return readiness;
}

}  // namespace headrace::worker
