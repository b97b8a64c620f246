#include "tracing/trace_record.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "base/checked_math.h"

namespace headrace::tracing {
namespace {

std::string Contiguous(const Tensor& tensor) {
  std::string bytes;
  bytes.reserve(tensor.byte_size());
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    bytes += tensor.fragment(i).view();
  }
  return bytes;
}

template <typename T>
void AppendNumbers(std::string_view bytes, std::string& text) {
  const std::size_t count = std::min(bytes.size() / sizeof(T), kTracedElementCountMax);
  for (std::size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    if (i != 0) {
      text += ',';
    }
    fmt::format_to(std::back_inserter(text), "{}", value);
  }
}

// Each element in quotes, as it is.
void AppendStrings(std::string_view bytes, std::string& text) {
  for (std::size_t i = 0; i < kTracedElementCountMax && bytes.size() >= 4; ++i) {
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data(), 4);
    bytes.remove_prefix(4);
    const std::string_view element = bytes.substr(0, length);
    bytes.remove_prefix(element.size());
    text += i == 0 ? "\"" : ",\"";
    text += element;
    text += '"';
  }
}

std::string DataText(const Tensor& tensor) {
  std::string text;
  if (tensor.memory_kind == MemoryKind::kGpu) {
    return text;  // not worth a copy from the device
  }
  const std::string bytes = Contiguous(tensor);
  switch (tensor.dtype) {
    case DataType::kBool:
    case DataType::kUint8:
      AppendNumbers<std::uint8_t>(bytes, text);
      break;
    case DataType::kUint16:
    case DataType::kFp16:  // these two as their bits: the host has no such type
    case DataType::kBf16:
      AppendNumbers<std::uint16_t>(bytes, text);
      break;
    case DataType::kUint32:
      AppendNumbers<std::uint32_t>(bytes, text);
      break;
    case DataType::kUint64:
      AppendNumbers<std::uint64_t>(bytes, text);
      break;
    case DataType::kInt8:
      AppendNumbers<std::int8_t>(bytes, text);
      break;
    case DataType::kInt16:
      AppendNumbers<std::int16_t>(bytes, text);
      break;
    case DataType::kInt32:
      AppendNumbers<std::int32_t>(bytes, text);
      break;
    case DataType::kInt64:
      AppendNumbers<std::int64_t>(bytes, text);
      break;
    case DataType::kFp32:
      AppendNumbers<float>(bytes, text);
      break;
    case DataType::kFp64:
      AppendNumbers<double>(bytes, text);
      break;
    case DataType::kBytes:
      AppendStrings(bytes, text);
      break;
    case DataType::kInvalid:
      break;
  }
  return text;
}

}  // namespace

TraceRecord::TraceRecord(std::shared_ptr<TraceCollector> collector, TraceLevels levels,
                         TraceData data)
    : collector_(std::move(collector)),
      levels_(levels),
      id_(data.id),
      context_(data.span.span_id == 0 ? std::string() : data.span.Text()),
      data_(std::move(data)) {}

TraceRecord::~TraceRecord() { collector_->Collect(std::move(data_)); }

void TraceRecord::SetModel(std::string_view name, std::int64_t version,
                           std::string_view request_id) {
  std::lock_guard lock(mutex_);
  data_.model_name = name;
  data_.model_version = version;
  data_.request_id = request_id;
}

void TraceRecord::Report(engine::TraceActivity activity, Nanos time) {
  ReportCustom(engine::TraceActivityName(activity), time);
}

void TraceRecord::ReportCustom(std::string_view name, Nanos time) {
  if (!levels_.timestamps) {
    return;
  }
  std::lock_guard lock(mutex_);
  if (data_.events.size() < kEventCountMax) {
    data_.events.push_back({std::string(name), time});
  }
}

void TraceRecord::ReportTensor(engine::TraceActivity activity, std::string_view name,
                               const Tensor& tensor) {
  if (!levels_.tensors) {
    return;
  }
  TracedTensor traced;
  traced.activity = engine::TraceActivityName(activity);
  traced.name = name;
  traced.datatype = DataTypeName(tensor.dtype);
  traced.shape = fmt::format("{}", fmt::join(tensor.shape.dims(), ","));
  traced.data = DataText(tensor);
  std::lock_guard lock(mutex_);
  if (data_.tensors.size() < kEventCountMax) {
    data_.tensors.push_back(std::move(traced));
  }
}

std::shared_ptr<engine::RequestTrace> TraceRecord::SpawnChild() {
  TraceData child;
  child.id = collector_->NextId();
  child.parent_id = id_;
  {
    std::lock_guard lock(mutex_);
    child.log_frequency = data_.log_frequency;
    child.span = data_.span;
    child.parent_span_id = data_.span.span_id;
  }
  if (child.span.span_id != 0) {
    child.span.span_id = collector_->NextSpanId();
  }
  return std::make_shared<TraceRecord>(collector_, levels_, std::move(child));
}

}  // namespace headrace::tracing
