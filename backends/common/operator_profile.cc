#include "common/operator_profile.h"

#include <ctime>
#include <nlohmann/json.hpp>

namespace headrace::backend {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t NanosOf(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// What is not known is left out.
void AddWork(const OperatorWork& work, Json& json) {
  if (work.flops > 0) {
    json["flops"] = work.flops;
  }
  if (work.moved_byte_size > 0) {
    json["moved_bytes"] = work.moved_byte_size;
  }
}

Json JsonOf(const OperatorEvent& event) {
  Json json = {{"name", event.name},
               {"kind", event.kind},
               {"start_ns", event.start_ns},
               {"duration_ns", event.duration_ns},
               {"thread", event.thread}};
  if (!event.shapes.empty()) {
    json["shapes"] = event.shapes;
  }
  AddWork(event.work, json);
  if (event.byte_size > 0) {
    json["bytes"] = event.byte_size;
  }
  if (event.stack >= 0) {
    json["stack"] = event.stack;
  }
  if (event.on_device) {
    json["device"] = true;
  }
  return json;
}

Json JsonOf(const OperatorTotal& total) {
  Json json = {{"name", total.name},
               {"kind", total.kind},
               {"count", total.count},
               {"duration_ns", total.duration_ns}};
  if (!total.detail.empty()) {
    json["detail"] = total.detail;
  }
  if (total.worked_count > 0) {
    AddWork(total.work, json);
    json["worked_count"] = total.worked_count;
    json["worked_ns"] = total.worked_ns;
  }
  return json;
}

Json JsonOf(const MemoryEvent& event) {
  Json json = {{"time_ns", event.time_ns}, {"thread", event.thread}, {"bytes", event.byte_size}};
  if (event.on_device) {
    json["device"] = true;
  }
  return json;
}

// Leaves `flag` as it is where the key is missing.
Error ReadFlag(const Json& object, const char* key, bool* flag) {
  const auto found = object.find(key);
  if (found == object.end()) {
    return {};
  }
  if (!found->is_boolean()) {
    return InvalidArgument("'{}' is true or false", key);
  }
  *flag = found->get<bool>();
  return {};
}

}  // namespace

bool OperatorProfile::Add(OperatorEvent event) {
  if (events.size() >= kEventCountMax) {
    truncated = true;
    return false;
  }
  events.push_back(std::move(event));
  return true;
}

std::int64_t OperatorProfile::StackIndex(const std::string& stack) {
  const auto [at, added] =
      stack_indices_.try_emplace(stack, static_cast<std::int64_t>(stacks.size()));
  if (added) {
    stacks.push_back(stack);
  }
  return at->second;
}

void OperatorProfile::Add(const MemoryEvent& event) {
  if (memory.size() >= kEventCountMax) {
    truncated = true;
    return;
  }
  memory.push_back(event);
}

std::string OperatorProfile::ToJson() const {
  Json json = {{"runtime", runtime},         {"truncated", truncated}, {"note", note},
               {"memory_note", memory_note}, {"work_note", work_note}, {"threads", threads}};
  Json& all = json["events"] = Json::array();
  for (const OperatorEvent& event : events) {
    all.push_back(JsonOf(event));
  }
  Json& sums = json["totals"] = Json::array();
  for (const OperatorTotal& total : totals) {
    sums.push_back(JsonOf(total));
  }
  Json& allocations = json["memory"] = Json::array();
  for (const MemoryEvent& event : memory) {
    allocations.push_back(JsonOf(event));
  }
  json["stacks"] = stacks;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::int64_t WallMinusMonotonic() { return NanosOf(CLOCK_REALTIME) - NanosOf(CLOCK_MONOTONIC); }

Error ProfileOptions::Read(const char* json, ProfileOptions* options) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) {
    return InvalidArgument("the options of a profile are a JSON object");
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(parsed, "shapes", &options->shapes));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadFlag(parsed, "memory", &options->memory));
  return ReadFlag(parsed, "stack", &options->stack);
}

}  // namespace headrace::backend
