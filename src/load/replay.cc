#include "load/replay.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include "base/ascii.h"
#include "load/file_bytes.h"
#include "load/json_document.h"

namespace headrace::load {
namespace {

constexpr std::size_t kRequestCountMax = 10'000'000;
constexpr double kSecondsMax = 1e9;

struct Event {
  Nanos at = 0;
  std::string name;
};

// The events in order, counted from the first.
Result<Recording> Finish(std::vector<Event> events, const std::string& path,
                         std::string_view what) {
  if (events.empty()) {
    return InvalidArgument("{}: {}", path, what);
  }
  if (events.size() > kRequestCountMax) {
    return ResourceExhausted("{}: more than {} requests", path, kRequestCountMax);
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.at < b.at; });
  Recording recording;
  const bool named = std::any_of(events.begin(), events.end(),
                                 [](const Event& event) { return !event.name.empty(); });
  for (Event& event : events) {
    recording.offsets.push_back(event.at - events.front().at);
    if (named) {
      recording.names.push_back(std::move(event.name));
    }
  }
  return recording;
}

Result<Recording> ReadExport(JsonElement root, const std::string& path) {
  std::vector<Event> events;
  const auto experiments = ArrayMember(root, "experiments");
  for (const JsonElement experiment : *experiments) {
    const auto requests = ArrayMember(experiment, "requests");
    if (!requests) {
      continue;
    }
    for (const JsonElement request : *requests) {
      const std::int64_t at = IntMember(request, "timestamp", -1);
      if (at < 0) {
        return InvalidArgument("{}: request {} has no \"timestamp\" in nanoseconds", path,
                               events.size());
      }
      events.push_back({at, ""});
    }
  }
  return Finish(std::move(events), path, "the profile export has no requests");
}

// Offsets count from the start of the run, not from the first request.
Result<Recording> ReadSchedule(JsonElement root, const std::string& path) {
  std::vector<Event> events;
  const auto entries = ArrayMember(root, "data");
  for (const JsonElement entry : *entries) {
    const auto member = Member(entry, "timestamp");
    JsonArray list;
    const bool listed = member && member->get(list) == simdjson::SUCCESS && list.size() == 1;
    double milliseconds = -1;
    if (!member || (listed ? *list.begin() : *member).get(milliseconds) != simdjson::SUCCESS) {
      milliseconds = -1;
    }
    if (!(milliseconds >= 0 && milliseconds <= kSecondsMax)) {
      return InvalidArgument("{}: data[{}] has no \"timestamp\": [milliseconds from the start]",
                             path, events.size());
    }
    events.push_back({std::llround(milliseconds * static_cast<double>(kMillisecond)), ""});
  }
  const Nanos first =
      events.empty()
          ? 0
          : std::min_element(events.begin(), events.end(), [](const Event& a, const Event& b) {
              return a.at < b.at;
            })->at;
  HEADRACE_ASSIGN_OR_RETURN(Recording recording,
                            Finish(std::move(events), path, "\"data\" is empty"));
  for (Nanos& offset : recording.offsets) {
    offset += first;
  }
  return recording;
}

// Activities that say when a request came, the best first. The wait for a gRPC message begins
// before there is a request.
constexpr std::string_view kReceived[] = {"HTTP_RECV_START", "GRPC_WAITREAD_END", "REQUEST_START",
                                          "QUEUE_START"};

Result<Recording> ReadTrace(JsonArray entries, const std::string& path) {
  struct Trace {
    std::string model;
    bool child = false;
    std::size_t rank = std::size(kReceived);
    Nanos at = 0;
  };
  std::map<std::uint64_t, Trace> traces;
  for (const JsonElement entry : entries) {
    if (!Member(entry, "id")) {
      return InvalidArgument("{}: an entry of the trace has no \"id\"", path);
    }
    Trace& trace = traces[UintMember(entry, "id")];
    if (const auto model = StringMember(entry, "model_name"); !model.empty()) {
      trace.model = model;
      trace.child = Member(entry, "parent_id").has_value() && UintMember(entry, "parent_id") != 0;
    }
    const auto timestamps = ArrayMember(entry, "timestamps");
    if (!timestamps) {
      continue;
    }
    for (const JsonElement timestamp : *timestamps) {
      const auto* const found =
          std::find(std::begin(kReceived), std::end(kReceived), StringMember(timestamp, "name"));
      const auto rank = static_cast<std::size_t>(found - std::begin(kReceived));
      if (rank < trace.rank) {
        trace.rank = rank;
        trace.at = IntMember(timestamp, "ns");
      }
    }
  }
  std::vector<Event> events;
  for (auto& [id, trace] : traces) {
    if (!trace.child && trace.rank < std::size(kReceived)) {
      events.push_back({trace.at, std::move(trace.model)});
    }
  }
  return Finish(std::move(events), path,
                "the trace has no request with timestamps (trace_level TIMESTAMPS writes them)");
}

Result<Recording> ReadJson(std::string_view text, const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(text, path));
  JsonArray entries;
  if (document.root().get(entries) == simdjson::SUCCESS) {
    return ReadTrace(entries, path);
  }
  if (ArrayMember(document.root(), "experiments")) {
    return ReadExport(document.root(), path);
  }
  if (ArrayMember(document.root(), "data")) {
    return ReadSchedule(document.root(), path);
  }
  return InvalidArgument(
      "{}: this JSON is no recording: \"experiments\" (a profile export), \"data\" with "
      "timestamps, "
      "or an array of traces is wanted",
      path);
}

bool ParseNumber(std::string_view text, double& value) {
  text = TrimBlanks(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

// Calls `take` with each line that holds something, and its number.
template <typename Take>
Status EachLine(std::string_view text, Take take) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t size = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, size);
    text.remove_prefix(std::min(size + 1, text.size()));
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    line = TrimBlanks(line);
    if (!line.empty() && !line.starts_with('#')) {
      HEADRACE_RETURN_IF_ERROR(take(line, number));
    }
  }
  return OkStatus();
}

Result<Recording> ReadTable(std::string_view text, const std::string& path) {
  std::vector<Event> events;
  bool first = true;
  const auto take = [&](std::string_view line, std::size_t number) -> Status {
    std::vector<std::string_view> cells;
    while (cells.size() < 3) {
      const std::size_t comma =
          cells.size() == 2 ? line.size() : std::min(line.find(','), line.size());
      cells.push_back(TrimBlanks(line.substr(0, comma)));
      if (comma == line.size()) {
        break;
      }
      line.remove_prefix(comma + 1);
    }
    double seconds = 0;
    const bool is_number = ParseNumber(cells[0], seconds);
    if (!is_number && std::exchange(first, false)) {
      return OkStatus();  // the head line
    }
    first = false;
    if (!is_number || std::abs(seconds) > 1e10) {
      return InvalidArgument(
          "{}:{}: '{}' is no number of seconds; a line is seconds[,model[,item]]", path, number,
          cells[0]);
    }
    if (events.size() == kRequestCountMax) {
      return ResourceExhausted("{}: more than {} requests", path, kRequestCountMax);
    }
    const std::string_view item = cells.size() > 2 && !cells[2].empty() ? cells[2]
                                  : cells.size() > 1                    ? cells[1]
                                                                        : "";
    // Seconds since 1970 with a fraction: the whole part apart, so that nothing is lost.
    const double whole = std::floor(seconds);
    events.push_back({static_cast<Nanos>(whole) % (kNever / kSecond) * kSecond +
                          std::llround((seconds - whole) * static_cast<double>(kSecond)),
                      std::string(item)});
    return OkStatus();
  };
  HEADRACE_RETURN_IF_ERROR(EachLine(text, take));
  return Finish(std::move(events), path, "the file has no requests");
}

Result<Recording> ReadGaps(std::string_view text, const std::string& path) {
  Recording recording;
  recording.gaps = true;
  Nanos at = 0;
  const auto take = [&](std::string_view line, std::size_t number) -> Status {
    double microseconds = 0;
    if (!ParseNumber(line, microseconds) || microseconds < 0 || microseconds > 1e12) {
      return InvalidArgument("{}:{}: '{}' is no number of microseconds", path, number, line);
    }
    if (recording.offsets.size() == kRequestCountMax) {
      return ResourceExhausted("{}: more than {} requests", path, kRequestCountMax);
    }
    const auto gap = static_cast<Nanos>(std::llround(microseconds * 1e3));
    if (at > kNever / 2 - gap) {
      return InvalidArgument("{}:{}: the gaps together are too long", path, number);
    }
    at += gap;
    recording.offsets.push_back(at);
    return OkStatus();
  };
  HEADRACE_RETURN_IF_ERROR(EachLine(text, take));
  if (at == 0) {
    return InvalidArgument("{}: it holds no gap above 0", path);
  }
  return recording;
}

}  // namespace

Result<Recording> ReadRecording(const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path));
  return ParseRecording(text, path);
}

Result<Recording> ParseRecording(std::string_view text, const std::string& path) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) {
    return InvalidArgument("{} is empty", path);
  }
  if (text[begin] == '{' || text[begin] == '[') {
    return ReadJson(text, path);
  }
  const bool table = ExtensionOf(path) == "csv" || text.find(',') != std::string_view::npos;
  return table ? ReadTable(text, path) : ReadGaps(text, path);
}

Status ApplyNames(const Recording& recording, Workload& workload) {
  workload.order.clear();
  for (std::size_t i = 0; i < recording.names.size(); ++i) {
    const std::string& name = recording.names[i];
    const auto find = [&](std::string Item::*member) {
      return std::find_if(workload.items.begin(), workload.items.end(),
                          [&](const Item& item) { return item.*member == name; });
    };
    auto item = name.empty() ? workload.items.begin() : find(&Item::name);
    item = item == workload.items.end() ? find(&Item::model) : item;
    if (item == workload.items.end()) {
      return InvalidArgument(
          "request {} of the recording is of '{}', which is neither an item nor a model of the "
          "workload; add it to --mix",
          i, name);
    }
    workload.order.push_back(static_cast<std::uint32_t>(item - workload.items.begin()));
  }
  return OkStatus();
}

void ApplyTimes(const Recording& recording, bool loop, ArrivalSpec& arrivals) {
  const std::vector<Nanos>& offsets = recording.offsets;
  if (!recording.gaps && !loop) {
    arrivals.kind = ArrivalSpec::Kind::kSchedule;
    arrivals.intervals = offsets;
    return;
  }
  arrivals.kind = ArrivalSpec::Kind::kReplay;
  arrivals.intervals.clear();
  const auto count = static_cast<Nanos>(offsets.size());
  const Nanos mean = std::max<Nanos>(1, count > 1 ? offsets.back() / (count - 1) : kSecond);
  Nanos before = recording.gaps ? 0 : offsets.front() - mean;
  for (const Nanos offset : offsets) {
    arrivals.intervals.push_back(offset - std::exchange(before, offset));
  }
}

}  // namespace headrace::load
