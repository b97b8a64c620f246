#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>

#include "profiling/operator_nesting.h"
#include "profiling/profile.h"
#include "protocol/json_writer.h"

namespace headrace::profiling {
namespace {

using protocol::JsonWriter;

// Viewers count in microseconds from any zero.
double Micros(Nanos time) { return static_cast<double>(time) / static_cast<double>(kMicrosecond); }

// Writes trace events of one process ("Trace Event Format": complete events X, flows s and f, async
// b and e, metadata M).
class TraceWriter {
 public:
  TraceWriter(JsonWriter& json, Nanos zero) : json_(json), zero_(zero) {}

  void Name(std::string_view what, std::int64_t track, std::string_view name) {
    Begin("M", what, track);
    json_.Key("args").BeginObject().Key("name").String(name).EndObject();
    json_.EndObject();
  }
  // Open: the caller adds arguments, if any, and calls EndObject.
  JsonWriter& Span(std::string_view name, std::string_view category, std::int64_t track,
                   Nanos start, Nanos duration) {
    Begin("X", name, track);
    At(start);
    json_.Key("cat").String(category);
    json_.Key("dur").Double(Micros(duration));
    return json_;
  }
  // A point of the line `name`.
  void Counter(std::string_view name, Nanos time, double mebibytes) {
    Begin("C", name, 0);
    At(time);
    json_.Key("args").BeginObject().Key("MiB").Double(mebibytes).EndObject();
    json_.EndObject();
  }
  // One end of the arrow or of the overlapping span number `id`.
  void End(std::string_view phase, std::string_view name, std::int64_t track, Nanos time,
           std::uint64_t id) {
    Begin(phase, name, track);
    At(time);
    json_.Key("cat").String("request");
    json_.Key("id").Uint(id);
    if (phase == "f") {
      json_.Key("bp").String("e");
    }
    json_.EndObject();
  }

 private:
  void Begin(std::string_view phase, std::string_view name, std::int64_t track) {
    json_.BeginObject().Key("ph").String(phase).Key("name").String(name);
    json_.Key("pid").Int(getpid()).Key("tid").Int(track);
  }
  void At(Nanos time) { json_.Key("ts").Double(Micros(time - zero_)); }

  JsonWriter& json_;
  const Nanos zero_;
};

void WriteBatches(const Profile& profile, TraceWriter& trace) {
  std::uint64_t number = 0;
  for (const RecordedBatch& batch : profile.batches.batches) {
    JsonWriter& json = trace.Span(fmt::format("batch of {}", batch.batch_size), "batch",
                                  batch.thread_id, batch.started, batch.ended - batch.started);
    json.Key("args").BeginObject().Key("requests").Uint(batch.requests.size());
    json.Key("instance").String(batch.instance).EndObject().EndObject();
    for (const auto& request : batch.requests) {
      ++number;
      // Requests overlap: async spans have a line each.
      trace.End("b", "queued", kQueueTrack, request.queued, number);
      trace.End("e", "queued", kQueueTrack, batch.started, number);
      trace.End("s", "to batch", kQueueTrack, request.queued, number);
      trace.End("f", "to batch", batch.thread_id, batch.started, number);
    }
  }
}

void WriteOperators(const OperatorRecord& record, TraceWriter& trace) {
  const std::vector<std::size_t> parents = ParentsOf(record.events);
  std::vector<std::string_view> told(record.events.size());  // stacks, by event
  for (std::size_t i = 0; i < record.events.size(); ++i) {
    const OperatorEvent& event = record.events[i];
    JsonWriter& json =
        trace.Span(event.name, "operator", event.on_device ? kDeviceTrack : event.thread,
                   event.start, event.duration);
    // What an operator calls has its stack: once is enough.
    const std::string_view outer =
        parents[i] == kNoOperator ? std::string_view() : told[parents[i]];
    told[i] = event.stack.empty() ? outer : std::string_view(event.stack);
    const std::string_view stack = told[i] == outer ? std::string_view() : told[i];
    if (!event.kind.empty() || !event.shapes.empty() || !stack.empty()) {
      json.Key("args").BeginObject();
      json.Key("kind").String(event.kind).Key("shapes").String(event.shapes);
      if (!stack.empty()) {
        json.Key("stack").String(stack);
      }
      json.EndObject();
    }
    json.EndObject();
  }
}

double Mebibytes(double byte_size) { return byte_size / (1 << 20); }

void WriteMemory(const MemoryUse& memory, TraceWriter& trace) {
  for (const MemorySample& sample : memory.resident) {
    trace.Counter("resident memory of the server", sample.at,
                  Mebibytes(static_cast<double>(sample.resident_byte_size)));
  }
  for (const DeviceMemorySample& sample : memory.devices) {
    trace.Counter(fmt::format("memory in use of GPU {}", sample.use.device_id), sample.at,
                  Mebibytes(static_cast<double>(sample.use.used_byte_size)));
  }
}

// What the operators hold, counted from the least that they held: what was there before the profile
// began is not known.
void WriteAllocations(const std::vector<MemoryEvent>& events, bool on_device, TraceWriter& trace) {
  std::int64_t held = 0;
  std::int64_t least = 0;
  for (const MemoryEvent& event : events) {
    held += event.on_device == on_device ? event.byte_size : 0;
    least = std::min(least, held);
  }
  held = -least;
  for (const MemoryEvent& event : events) {
    if (event.on_device == on_device) {
      held += event.byte_size;
      trace.Counter(on_device ? "device memory of operators" : "memory of operators", event.at,
                    Mebibytes(static_cast<double>(held)));
    }
  }
}

void WriteTrace(const Profile& profile, JsonWriter& json) {
  TraceWriter trace(json, profile.began);
  json.BeginArray();
  trace.Name("process_name", 0, fmt::format("headrace, model {}", profile.model));
  trace.Name("thread_name", kQueueTrack, "queue");
  if (profile.operators) {
    trace.Name("thread_name", kDeviceTrack, "device");
  }
  std::map<std::int64_t, std::string> instances;
  for (const RecordedBatch& batch : profile.batches.batches) {
    instances.try_emplace(batch.thread_id, batch.instance);
  }
  for (const auto& [thread, instance] : instances) {
    trace.Name("thread_name", thread, "instance " + instance);
  }
  if (profile.cpu) {
    for (const auto& [thread, name] : profile.cpu->thread_names) {
      if (!instances.contains(thread)) {
        trace.Name("thread_name", thread, "thread " + name);
      }
    }
  }
  WriteBatches(profile, trace);
  if (profile.operators) {
    WriteOperators(*profile.operators, trace);
    WriteAllocations(profile.operators->memory, false, trace);
    WriteAllocations(profile.operators->memory, true, trace);
  }
  WriteMemory(profile.memory, trace);
  json.EndArray();
}

// Samples of the processor, as the format of Chrome traces has them: each with the frame that it
// was in, and frames apart. Viewers that do not know them pass over both.
void WriteSamples(const CpuSampleTable& cpu, Nanos zero, JsonWriter& json) {
  json.Key("stackFrames").BeginObject();
  for (std::size_t i = 0; i < cpu.functions.size(); ++i) {
    json.Key(std::to_string(i)).BeginObject();
    json.Key("name").String(cpu.functions[i].place.function);
    json.Key("category").String(cpu.functions[i].place.module).EndObject();
  }
  json.EndObject().Key("samples").BeginArray();
  for (const CpuSampleTable::Sample& sample : cpu.samples) {
    json.BeginObject().Key("name").String("cpu").Key("tid").Int(sample.thread);
    json.Key("ts").Double(Micros(sample.at - zero)).Key("weight").Int(1);
    json.Key("sf").Uint(sample.function).EndObject();
  }
  json.EndArray();
}

void WriteCpuTable(const CpuSampleTable& cpu, JsonWriter& json) {
  json.Key("cpu").BeginObject();
  json.Key("perf_note").String(cpu.note);
  json.Key("sample_us").Double(Micros(cpu.period)).Key("kernel").Bool(cpu.with_kernel);
  json.Key("samples").Uint(cpu.samples.size()).Key("lost").Uint(cpu.lost);
  json.Key("truncated").Bool(cpu.truncated).Key("table").BeginArray();
  for (const CpuSampleTable::Function& function : cpu.functions) {
    json.BeginObject().Key("function").String(function.place.function);
    json.Key("module").String(function.place.module).Key("samples").Uint(function.count);
    json.Key("self_us").Double(Micros(cpu.period) * static_cast<double>(function.count));
    json.EndObject();
  }
  json.EndArray().EndObject();
}

// What is not known is null, so that no program takes it for nothing.
void UintOrNull(std::string_view key, std::uint64_t value, JsonWriter& json) {
  json.Key(key);
  value > 0 ? json.Uint(value) : json.Raw("null");
}

void WriteWork(const OperatorLine& line, JsonWriter& json) {
  UintOrNull("flops", line.flops, json);
  UintOrNull("moved_bytes", line.moved_byte_size, json);
  json.Key("worked_count").Uint(line.worked_count).Key("worked_us").Double(Micros(line.worked));
  json.Key("roofline_percent");
  line.roofline > 0 ? json.Double(100 * line.roofline) : json.Raw("null");
  json.Key("roofline_bound");
  line.roofline > 0 ? json.String(line.memory_bound ? "memory" : "compute") : json.Raw("null");
}

// Why operators have no share of the roofline, or what has to be known of those that have.
std::string RooflineNote(const Profile& profile) {
  if (profile.machine) {
    return "what the machine needs at least for an operator's flops (fp32) or bytes, whichever is "
           "longer, by what it took; above 100 % where it computes in bf16 or int8 units, or finds "
           "its tensors in a cache";
  }
  if (profile.operators->UsesDevice()) {
    return "the model uses a GPU: what the processor can do at most says nothing of its operators";
  }
  return profile.operators->work_note.empty()
             ? "flops and bytes are known of none of these operators"
             : profile.operators->work_note;
}

void WriteOperatorTable(const Profile& profile, JsonWriter& json) {
  json.Key("operators").BeginObject();
  if (profile.operators) {
    json.Key("runtime").String(profile.operators->runtime);
    json.Key("note").String(profile.operators->note);
    json.Key("memory_note").String(profile.operators->memory_note);
    json.Key("roofline_note").String(RooflineNote(profile));
    json.Key("truncated").Bool(profile.operators->truncated);
    json.Key("table").BeginArray();
    const MachineCeiling* const ceiling = profile.machine ? &*profile.machine : nullptr;
    for (const OperatorLine& line : OperatorTable(*profile.operators, ceiling)) {
      json.BeginObject().Key("name").String(line.name).Key("kind").String(line.kind);
      json.Key("detail").String(line.detail).Key("count").Uint(line.count);
      json.Key("self_us").Double(Micros(line.self)).Key("total_us").Double(Micros(line.total));
      json.Key("bytes").Uint(line.byte_size);
      WriteWork(line, json);
      json.EndObject();
    }
    json.EndArray();
  } else {
    json.Key("note").String(profile.operators_missing);
  }
  json.EndObject();
}

void WriteTables(const Profile& profile, JsonWriter& json) {
  json.Key("batches").BeginArray();
  for (const BatchLine& line : BatchTable(profile.batches.batches)) {
    json.BeginObject().Key("batch_size").Int(line.batch_size).Key("count").Uint(line.count);
    json.Key("execution_mean_us").Double(Micros(line.execution_mean));
    json.Key("execution_max_us").Double(Micros(line.execution_max));
    json.Key("queue_mean_us").Double(Micros(line.queue_mean)).EndObject();
  }
  json.EndArray();
  WriteOperatorTable(profile, json);
  if (profile.machine) {
    constexpr double kGiga = 1e9;
    json.Key("machine").BeginObject();
    json.Key("gflops").Double(profile.machine->flops_per_s / kGiga);
    json.Key("gbytes_per_s").Double(profile.machine->bytes_per_s / kGiga);
    json.Key("threads").Int(profile.machine->threads);
    json.Key("how").String(profile.machine->how).EndObject();
  }
  if (profile.cpu) {
    WriteCpuTable(*profile.cpu, json);
  }
  json.Key("threads").BeginArray();
  for (const ThreadUse& use : profile.threads) {
    json.BeginObject().Key("id").Int(use.id).Key("name").String(use.time.name);
    json.Key("ran_us").Double(Micros(use.time.ran));
    json.Key("waited_for_core_us").Double(Micros(use.time.waited));
    json.Key("migrations").Uint(use.time.migrations).EndObject();
  }
  json.EndArray();
  json.Key("memory").BeginObject();
  json.Key("resident_peak_bytes").Uint(profile.memory.ResidentPeak());
  json.Key("device_peaks").BeginArray();
  for (const DeviceMemoryUse& use : profile.memory.DevicePeaks()) {
    json.BeginObject().Key("device").Int(use.device_id);
    json.Key("bytes").Uint(use.used_byte_size).EndObject();
  }
  json.EndArray().EndObject();
  json.Key("advice").BeginArray();
  for (const Advice& advice : AdviceOn(profile)) {
    json.BeginObject().Key("topic").String(advice.topic);
    json.Key("text").String(advice.text).EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string ProfileDocument(const Profile& profile) {
  std::string document;
  JsonWriter json(document);
  json.BeginObject().Key("displayTimeUnit").String("ms");
  json.Key("headrace").BeginObject();
  json.Key("schema_version").Int(1).Key("kind").String("profile");
  json.Key("model").String(profile.model).Key("version").Int(profile.version);
  json.Key("seconds").Double(Micros(profile.ended - profile.began) / 1e6);
  json.Key("requests").Uint(profile.batches.request_count);
  json.Key("truncated").Bool(profile.batches.truncated);
  json.Key("cores").Int(profile.core_count).Key("instances").Int(profile.instance_count);
  WriteTables(profile, json);
  json.EndObject();
  json.Key("traceEvents");
  WriteTrace(profile, json);
  if (profile.cpu) {
    WriteSamples(*profile.cpu, profile.began, json);
  }
  json.EndObject();
  return document;
}

}  // namespace headrace::profiling
