#include "tracing/trace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "protocol/json_writer.h"

namespace headrace::tracing {
namespace {

constexpr mode_t kMode = 0640;

bool WriteAt(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return true;
}

void Append(std::string& to, const std::string& json) {
  if (!to.empty()) {
    to += ',';
  }
  to += json;
}

}  // namespace

std::string TraceJson(const TraceData& trace) {
  std::string text;
  {
    protocol::JsonWriter json(text);
    json.BeginObject().Key("id").Uint(trace.id).Key("model_name").String(trace.model_name);
    json.Key("model_version").Int(trace.model_version);
    if (!trace.request_id.empty()) {
      json.Key("request_id").String(trace.request_id);
    }
    if (trace.parent_id != 0) {
      json.Key("parent_id").Uint(trace.parent_id);
    }
    json.EndObject();
  }
  if (!trace.events.empty()) {
    text += ',';
    protocol::JsonWriter json(text);
    json.BeginObject().Key("id").Uint(trace.id).Key("timestamps").BeginArray();
    for (const TraceEvent& event : trace.events) {
      json.BeginObject().Key("name").String(event.name).Key("ns").Int(event.time).EndObject();
    }
    json.EndArray().EndObject();
  }
  for (const TracedTensor& tensor : trace.tensors) {
    text += ',';
    protocol::JsonWriter json(text);
    json.BeginObject().Key("id").Uint(trace.id).Key("activity").String(tensor.activity);
    json.Key("tensor").BeginObject().Key("name").String(tensor.name);
    json.Key("data").String(tensor.data).Key("shape").String(tensor.shape);
    json.Key("dtype").String(tensor.datatype).EndObject().EndObject();
  }
  return text;
}

Result<std::unique_ptr<TraceFile>> TraceFile::Create(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!fd.valid()) {
    return InvalidArgument("cannot open trace file '{}': {}", EscapeForLog(path),
                           std::strerror(errno));
  }
  return std::unique_ptr<TraceFile>(new TraceFile(path, std::move(fd)));
}

TraceFile::~TraceFile() { Flush(0, true); }

void TraceFile::Take(TraceData trace) {
  if (trace.log_frequency == 0) {
    Append(open_.json, TraceJson(trace));
    return;
  }
  Gathered& gathered = numbered_[trace.log_frequency];
  Append(gathered.json, TraceJson(trace));
  if (++gathered.trace_count == trace.log_frequency) {
    WriteNumbered(std::exchange(gathered, {}));
  }
}

Nanos TraceFile::Flush(Nanos /*now*/, bool all) {
  AppendToFile();
  for (auto& [frequency, gathered] : numbered_) {
    if (all && gathered.trace_count > 0) {
      WriteNumbered(std::exchange(gathered, {}));
    }
  }
  return kNever;
}

void TraceFile::AppendToFile() {
  if (open_.json.empty()) {
    return;
  }
  const std::string piece = (end_ == 0 ? "[" : ",") + std::exchange(open_, {}).json + "]";
  // A piece that was not written is dropped: the next one begins where it would have.
  if (WriteAt(fd_.get(), piece, end_)) {
    end_ += piece.size() - 1;
    failure_logged_ = false;
  } else {
    LogOnce(path_);
  }
}

void TraceFile::WriteNumbered(Gathered gathered) {
  const std::string path = fmt::format("{}.{}", path_, next_number_++);
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!fd.valid() || !WriteAt(fd.get(), "[" + gathered.json + "]", 0)) {
    LogOnce(path);
  }
}

void TraceFile::LogOnce(const std::string& path) {
  if (!failure_logged_) {
    HEADRACE_LOG_ERROR("traces cannot be written to '{}': {}", EscapeForLog(path),
                       std::strerror(errno));
  }
  failure_logged_ = true;
}

}  // namespace headrace::tracing
