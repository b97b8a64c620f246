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

Json JsonOf(const OperatorEvent& event) {
  Json json = {{"name", event.name},
               {"kind", event.kind},
               {"start_ns", event.start_ns},
               {"duration_ns", event.duration_ns},
               {"thread", event.thread}};
  if (!event.shapes.empty()) {
    json["shapes"] = event.shapes;
  }
  if (event.flops > 0) {
    json["flops"] = event.flops;
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
  return json;
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

std::string OperatorProfile::ToJson() const {
  Json json = {{"runtime", runtime}, {"truncated", truncated}, {"note", note}};
  Json& all = json["events"] = Json::array();
  for (const OperatorEvent& event : events) {
    all.push_back(JsonOf(event));
  }
  Json& sums = json["totals"] = Json::array();
  for (const OperatorTotal& total : totals) {
    sums.push_back(JsonOf(total));
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::int64_t WallMinusMonotonic() { return NanosOf(CLOCK_REALTIME) - NanosOf(CLOCK_MONOTONIC); }

Error ProfileOptions::Read(const char* json, ProfileOptions* options) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) {
    return InvalidArgument("the options of a profile are a JSON object");
  }
  const auto shapes = parsed.find("shapes");
  if (shapes != parsed.end()) {
    if (!shapes->is_boolean()) {
      return InvalidArgument("'shapes' is true or false");
    }
    options->shapes = shapes->get<bool>();
  }
  return {};
}

}  // namespace headrace::backend
