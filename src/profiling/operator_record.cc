#include "profiling/operator_record.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/ascii.h"
#include "profiling/operator_nesting.h"

namespace headrace::profiling {
namespace {

namespace dom = simdjson::dom;

constexpr std::int64_t kThreadsMax = 1 << 16;
constexpr Nanos kShortOperator = 10 * kMicrosecond;

std::string Text(const dom::element& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

std::int64_t Number(const dom::element& object, std::string_view key) {
  std::int64_t number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

bool Flag(const dom::element& object, std::string_view key) {
  bool flag = false;
  return object[key].get(flag) == simdjson::SUCCESS && flag;
}

std::uint64_t Count(const dom::element& object, std::string_view key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, Number(object, key)));
}

Result<dom::array> ArrayOf(const dom::element& object, std::string_view key) {
  dom::array array;
  if (object[key].get(array) != simdjson::SUCCESS) {
    return Internal("the backend's profile has no array '{}'", key);
  }
  return array;
}

// A line while calls are added to it, with what the machine would need for them.
struct SummedLine : OperatorLine {
  double least = 0;         // nanoseconds
  double least_memory = 0;  // of those for which the memory decides
  Nanos held = 0;           // what the calls took that are held against a ceiling

  void AddWork(const OperatorLine& calls, const MachineCeiling* ceiling) {
    worked_count += calls.worked_count;
    worked += calls.worked;
    flops += calls.flops;
    moved_byte_size += calls.moved_byte_size;
    if (ceiling == nullptr) {
      return;
    }
    const RooflineTime time = RooflineTimeOf(calls.flops, calls.moved_byte_size, *ceiling);
    least += time.longer();
    least_memory += time.memory > time.compute ? time.memory : 0;
    held += calls.worked;
  }

  void HoldAgainstCeiling() {
    roofline = held > 0 ? least / static_cast<double>(held) : 0;
    memory_bound = 2 * least_memory > least;
  }
};

}  // namespace

Result<OperatorRecord> ReadOperatorRecord(std::string_view json) {
  dom::parser parser;
  dom::element document;
  const simdjson::padded_string padded(json);
  if (parser.parse(padded).get(document) != simdjson::SUCCESS || !document.is_object()) {
    return Internal("the backend's profile is no JSON object");
  }
  HEADRACE_ASSIGN_OR_RETURN(const dom::array events, ArrayOf(document, "events"));
  HEADRACE_ASSIGN_OR_RETURN(const dom::array totals, ArrayOf(document, "totals"));
  OperatorRecord record{.runtime = Text(document, "runtime"),
                        .note = Text(document, "note"),
                        .memory_note = Text(document, "memory_note"),
                        .work_note = Text(document, "work_note"),
                        .threads = static_cast<int>(
                            std::clamp<std::int64_t>(Number(document, "threads"), 0, kThreadsMax)),
                        .truncated = Flag(document, "truncated")};
  std::vector<std::string_view> stacks;
  if (dom::array list; document["stacks"].get(list) == simdjson::SUCCESS) {
    for (const dom::element stack : list) {
      std::string_view text;
      stacks.push_back(stack.get(text) == simdjson::SUCCESS ? text : std::string_view());
    }
  }
  const auto stack_of = [&stacks](const dom::element& event) {
    std::uint64_t number = 0;
    const bool known = event["stack"].get(number) == simdjson::SUCCESS && number < stacks.size();
    return known ? std::string(stacks[number]) : std::string();
  };
  for (const dom::element event : events) {
    record.events.push_back({.name = Text(event, "name"),
                             .kind = Text(event, "kind"),
                             .shapes = Text(event, "shapes"),
                             .stack = stack_of(event),
                             .start = Number(event, "start_ns"),
                             .duration = std::max<Nanos>(0, Number(event, "duration_ns")),
                             .thread = Number(event, "thread"),
                             .flops = Count(event, "flops"),
                             .moved_byte_size = Count(event, "moved_bytes"),
                             .byte_size = Count(event, "bytes"),
                             .on_device = Flag(event, "device")});
  }
  for (const dom::element total : totals) {
    const Nanos duration = std::max<Nanos>(0, Number(total, "duration_ns"));
    record.totals.push_back({.name = Text(total, "name"),
                             .kind = Text(total, "kind"),
                             .detail = Text(total, "detail"),
                             .count = Count(total, "count"),
                             .total = duration,
                             .self = duration,
                             .worked_count = Count(total, "worked_count"),
                             .worked = std::max<Nanos>(0, Number(total, "worked_ns")),
                             .flops = Count(total, "flops"),
                             .moved_byte_size = Count(total, "moved_bytes")});
  }
  if (dom::array memory; document["memory"].get(memory) == simdjson::SUCCESS) {
    for (const dom::element event : memory) {
      record.memory.push_back({.at = Number(event, "time_ns"),
                               .thread = Number(event, "thread"),
                               .byte_size = Number(event, "bytes"),
                               .on_device = Flag(event, "device")});
    }
  }
  std::stable_sort(record.memory.begin(), record.memory.end(),
                   [](const MemoryEvent& a, const MemoryEvent& b) { return a.at < b.at; });
  std::sort(record.events.begin(), record.events.end(), OuterFirst);
  return record;
}

bool OperatorRecord::HasWork() const {
  const auto has_work = [](const auto& item) { return item.flops + item.moved_byte_size > 0; };
  return std::any_of(events.begin(), events.end(), has_work) ||
         std::any_of(totals.begin(), totals.end(), has_work);
}

bool OperatorRecord::UsesDevice() const {
  return std::any_of(events.begin(), events.end(),
                     [](const OperatorEvent& event) { return event.on_device; });
}

std::vector<OperatorLine> OperatorTable(const OperatorRecord& record,
                                        const MachineCeiling* ceiling) {
  std::map<std::pair<std::string_view, std::string_view>, SummedLine> lines;
  const auto line_of = [&](std::string_view name, std::string_view kind) -> SummedLine& {
    SummedLine& line = lines[{name, kind}];
    if (line.count == 0) {
      line.name = name;
      line.kind = kind;
    }
    return line;
  };
  const std::vector<std::size_t> parents = ParentsOf(record.events);
  const std::vector<Nanos> self = SelfTimesOf(record.events, parents);
  const std::vector<std::uint64_t> byte_sizes = AllocatedBytesOf(record, parents);
  for (std::size_t i = 0; i < record.events.size(); ++i) {
    const OperatorEvent& event = record.events[i];
    SummedLine& line = line_of(event.name, event.kind);
    ++line.count;
    line.total += event.duration;
    line.self += self[i];
    line.byte_size += byte_sizes[i];
    if (event.flops + event.moved_byte_size > 0) {
      line.AddWork({.worked_count = 1,
                    .worked = event.duration,
                    .flops = event.flops,
                    .moved_byte_size = event.moved_byte_size},
                   event.on_device ? nullptr : ceiling);
    }
  }
  for (const OperatorLine& total : record.totals) {
    SummedLine& line = line_of(total.name, total.kind);
    line.count += total.count;
    line.total += total.total;
    line.self += total.self;
    line.detail = total.detail;
    line.AddWork(total, ceiling);
  }
  std::vector<OperatorLine> table;
  for (auto& [key, line] : lines) {
    line.HoldAgainstCeiling();
    table.push_back(std::move(line));
  }
  std::stable_sort(table.begin(), table.end(),
                   [](const OperatorLine& a, const OperatorLine& b) { return a.self > b.self; });
  return table;
}

bool IsCopy(std::string_view name, std::string_view kind) {
  constexpr std::array<std::string_view, 13> kWords = {
      "copy_",     "_to_copy", "contiguous", "aten::to", "reorder", "convert",  "cast",
      "transpose", "memcpy",   "permute",    "pad",      "concat",  "aten::cat"};
  const std::string lower = LowerCase(kind.empty() ? name : kind);
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

OperatorShares SharesOf(const OperatorRecord& record) {
  Nanos all = 0;
  Nanos copies = 0;
  Nanos shorts = 0;
  const std::vector<Nanos> self = SelfTimesOf(record.events, ParentsOf(record.events));
  const auto add = [&](Nanos time, Nanos each, std::string_view name, std::string_view kind) {
    all += time;
    copies += IsCopy(name, kind) ? time : 0;
    shorts += each < kShortOperator ? time : 0;
  };
  for (std::size_t i = 0; i < record.events.size(); ++i) {
    add(self[i], record.events[i].duration, record.events[i].name, record.events[i].kind);
  }
  for (const OperatorLine& line : record.totals) {
    add(line.self, line.count == 0 ? 0 : line.self / static_cast<Nanos>(line.count), line.name,
        line.kind);
  }
  if (all == 0) {
    return {};
  }
  return {.short_operators = static_cast<double>(shorts) / static_cast<double>(all),
          .copies = static_cast<double>(copies) / static_cast<double>(all)};
}

}  // namespace headrace::profiling
