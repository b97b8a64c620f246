#include "bench/request_trace.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

using load::RequestRecord;
using protocol::JsonWriter;

constexpr std::size_t kSampleMax = 20'000;
constexpr std::size_t kSlowestCount = 100;

// By their intended time.
std::vector<const RequestRecord*> Sample(const std::vector<RequestRecord>& records) {
  std::vector<const RequestRecord*> all;
  for (const RequestRecord& record : records) {
    all.push_back(&record);
  }
  if (all.size() > kSampleMax) {
    const auto slowest_end = all.begin() + kSlowestCount;
    std::nth_element(all.begin(), slowest_end, all.end(),
                     [](const RequestRecord* a, const RequestRecord* b) {
                       return a->response_time() > b->response_time();
                     });
    std::vector<const RequestRecord*> drawn(all.begin(), slowest_end);
    std::sort(slowest_end, all.end(), [](const RequestRecord* a, const RequestRecord* b) {
      return a->intended < b->intended;
    });
    const double step = static_cast<double>(all.size() - kSlowestCount) /
                        static_cast<double>(kSampleMax - kSlowestCount);
    for (std::size_t i = 0; i < kSampleMax - kSlowestCount; ++i) {
      drawn.push_back(all[kSlowestCount + static_cast<std::size_t>(static_cast<double>(i) * step)]);
    }
    all = std::move(drawn);
  }
  std::sort(all.begin(), all.end(), [](const RequestRecord* a, const RequestRecord* b) {
    return a->intended < b->intended;
  });
  return all;
}

class LevelTrace {
 public:
  LevelTrace(JsonWriter& json, int process, const LevelResult& level)
      : json_(json), process_(process), level_(level) {}

  void Write() {
    Event("process_name", "M").Key("args").BeginObject();
    json_.Key("name").String(load::Describe(level_.spec.arrivals)).EndObject().EndObject();
    for (const RequestRecord* record : Sample(level_.records)) {
      WriteRequest(*record, Lane(*record));
    }
    WriteSeconds();
  }

 private:
  JsonWriter& Event(std::string_view name, std::string_view phase) {
    json_.BeginObject().Key("name").String(name).Key("ph").String(phase);
    return json_.Key("pid").Int(process_);
  }
  double Microseconds(Nanos time) const {
    return static_cast<double>(time - level_.measured_from) * 1e-3;
  }

  // The lowest lane that is free at the record's intended time.
  int Lane(const RequestRecord& record) {
    while (!busy_.empty() && busy_.top().first <= record.intended) {
      free_.push(busy_.top().second);
      busy_.pop();
    }
    int lane = lane_count_;
    if (free_.empty()) {
      ++lane_count_;
    } else {
      lane = free_.top();
      free_.pop();
    }
    busy_.emplace(record.done, lane);
    return lane;
  }

  void WriteRequest(const RequestRecord& record, int lane) {
    const bool ok = record.outcome == load::Outcome::kOk;
    Event(ok ? "request" : load::OutcomeName(record.outcome), "X").Key("tid").Int(lane);
    json_.Key("ts").Double(Microseconds(record.intended));
    json_.Key("dur").Double(static_cast<double>(record.response_time()) * 1e-3);
    json_.Key("args").BeginObject().Key("item").Uint(record.item);
    json_.Key("outcome").String(load::OutcomeName(record.outcome));
    json_.Key("wire_status").Uint(record.wire_status).Key("cold").Bool(record.cold);
    json_.Key("responses").Uint(record.response_count).EndObject().EndObject();
    constexpr Nanos kWaitMin = kMicrosecond;
    if (record.send_lag() >= kWaitMin) {
      Event("client queue", "X").Key("tid").Int(lane);
      json_.Key("ts").Double(Microseconds(record.intended));
      json_.Key("dur").Double(static_cast<double>(record.send_lag()) * 1e-3).EndObject();
    }
  }

  void WriteSeconds() {
    double out = 0;
    for (std::size_t i = 0; i < level_.seconds.size(); ++i) {
      const Second& second = level_.seconds[i];
      out += static_cast<double>(second.arrived) - static_cast<double>(second.done) -
             static_cast<double>(second.failed);
      const double at = static_cast<double>(i + 1) * 1e6;
      Event("backlog", "C").Key("ts").Double(at).Key("args").BeginObject();
      json_.Key("requests").Double(std::max(0.0, out)).EndObject().EndObject();
      Event("failed", "C").Key("ts").Double(at).Key("args").BeginObject();
      json_.Key("requests").Uint(second.failed).EndObject().EndObject();
    }
  }

  JsonWriter& json_;
  const int process_;
  const LevelResult& level_;
  using Busy = std::pair<Nanos, int>;
  std::priority_queue<Busy, std::vector<Busy>, std::greater<>> busy_;
  std::priority_queue<int, std::vector<int>, std::greater<>> free_;
  int lane_count_ = 0;
};

}  // namespace

std::string RequestTraceJson(const ResultDocument& document) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("displayTimeUnit").String("ms").Key("traceEvents").BeginArray();
  for (std::size_t i = 0; i < document.levels.size(); ++i) {
    LevelTrace(json, static_cast<int>(i) + 1, document.levels[i]).Write();
  }
  json.EndArray().EndObject();
  text += '\n';
  return text;
}

}  // namespace headrace::bench
