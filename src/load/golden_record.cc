#include "load/golden_record.h"

#include <span>
#include <utility>

#include "load/answer_record.h"
#include "protocol/base64.h"
#include "protocol/json_writer.h"

namespace headrace::load {
namespace {

Status Missing(std::size_t content) {
  return Unavailable("content {} of the data has no answer that could be recorded", content);
}

void WriteOutput(const TensorContent& output, bool batched, protocol::JsonWriter& json) {
  std::span<const std::int64_t> dims(output.shape);
  if (batched && !dims.empty()) {
    dims = dims.subspan(1);
  }
  json.Key(output.name).BeginObject();
  json.Key("b64").String(protocol::EncodeBase64(*output.bytes));
  json.Key("shape").BeginArray();
  for (const std::int64_t dim : dims) {
    json.Int(dim);
  }
  json.EndArray().EndObject();
}

Result<std::string> OneBody(const Item& item) {
  std::optional<std::string> body;
  for (std::size_t i = 0; i < item.contents.size(); ++i) {
    const auto answer = item.contents[i].golden->record->body();
    if (!answer) {
      return Missing(i);
    }
    if (body && *body != *answer) {
      return InvalidArgument(
          "the answers to the first body and to body {} differ, and a golden file holds one body; "
          "give one as --input-data",
          i);
    }
    body = answer;
  }
  return *std::move(body);
}

}  // namespace

Status RecordAnswers(Workload& workload, bool has_tensors) {
  if (workload.items.size() != 1) {
    return InvalidArgument("--golden-record records one kind of request; leave out --mix");
  }
  Item& item = workload.items.front();
  if (item.sequences.concurrent > 0) {
    return InvalidArgument(
        "--golden-record: the answers of '{}' depend on what came before in their sequences",
        item.name);
  }
  if (item.batch_size != 1) {
    return InvalidArgument(
        "--golden-record records single inferences: leave out -b {}; --golden compares batches of "
        "any size with them",
        item.batch_size);
  }
  for (Content& content : item.contents) {
    GoldenOutputs& golden = content.golden.emplace();
    golden.record = std::make_shared<AnswerRecord>();
    if (!has_tensors) {
      golden.body = std::make_shared<const std::string>();
    }
  }
  return OkStatus();
}

Result<std::string> GoldenFileText(const Workload& workload, bool has_tensors, bool batched) {
  const Item& item = workload.items.front();
  if (!has_tensors) {
    return OneBody(item);
  }
  std::string text;
  protocol::JsonWriter json(text);
  json.BeginObject().Key("validation_data").BeginArray();
  for (std::size_t i = 0; i < item.contents.size(); ++i) {
    const auto outputs = item.contents[i].golden->record->outputs();
    if (!outputs) {
      return Missing(i);
    }
    json.BeginObject();
    for (const TensorContent& output : *outputs) {
      WriteOutput(output, batched, json);
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
  return text + '\n';
}

}  // namespace headrace::load
