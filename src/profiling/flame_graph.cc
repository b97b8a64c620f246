#include "profiling/flame_graph.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

#include "profiling/frame_tree.h"
#include "profiling/operator_nesting.h"
#include "profiling/operator_record.h"
#include "profiling/profile.h"

namespace headrace::profiling {
namespace {

namespace dom = simdjson::dom;
using Kind = FlameFrame::Kind;

constexpr std::size_t kNoFrame = static_cast<std::size_t>(-1);

struct BatchSpan {
  Nanos start = 0, duration = 0;
  std::string name{}, instance{};
  std::size_t frame = kNoFrame;
};

std::string Text(const dom::element& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

double Number(const dom::element& object, std::string_view key) {
  double number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

Nanos Microseconds(const dom::element& object, std::string_view key) {
  return std::llround(Number(object, key) * static_cast<double>(kMicrosecond));
}

std::string NameOf(std::string_view name, std::string_view kind) {
  return kind.empty() ? std::string(name) : fmt::format("{} ({})", name, kind);
}

class Builder {
 public:
  Result<FlameFrame> Take(std::string_view json) {
    const simdjson::padded_string padded(json);
    dom::element document;
    dom::array events;
    if (parser_.parse(padded).get(document) != simdjson::SUCCESS ||
        document["headrace"].get(profile_) != simdjson::SUCCESS ||
        document["traceEvents"].get(events) != simdjson::SUCCESS) {
      return Internal("the document is no profile");
    }
    for (const dom::element event : events) {
      Read(event);
    }
    std::stable_sort(operators_.begin(), operators_.end(), OuterFirst);
    model_ = frames_.Child(FrameTree::kRoot, Text(profile_, "model"), Kind::kServer);
    device_ = frames_.Child(FrameTree::kRoot, "GPU", Kind::kDevice);
    AddBatches();
    const std::vector<std::size_t> parents = ParentsOf(operators_);
    operators_.empty() ? AddSums() : AddOperators(parents);
    AddSamples(document, parents);
    return frames_.Take("server");
  }

 private:
  void Read(const dom::element& event) {
    const std::string category = Text(event, "cat");
    const auto thread = static_cast<std::int64_t>(Number(event, "tid"));
    if (Text(event, "name") == "thread_name") {
      dom::element named;
      thread_names_[thread] =
          event["args"].get(named) == simdjson::SUCCESS ? Text(named, "name") : std::string();
    }
    if (Text(event, "ph") != "X") {
      return;
    }
    const Nanos start = Microseconds(event, "ts");
    const Nanos duration = Microseconds(event, "dur");
    dom::element arguments;
    const bool has_arguments = event["args"].get(arguments) == simdjson::SUCCESS;
    const auto argument = [&](std::string_view key) {
      return has_arguments ? Text(arguments, key) : std::string();
    };
    if (category == "batch") {
      batches_[thread].push_back({.start = start,
                                  .duration = duration,
                                  .name = Text(event, "name"),
                                  .instance = argument("instance")});
    } else if (category == "operator") {
      operators_.push_back({.name = Text(event, "name"),
                            .kind = argument("kind"),
                            .stack = argument("stack"),
                            .start = start,
                            .duration = duration,
                            .thread = thread,
                            .on_device = thread == kDeviceTrack});
    }
  }

  // A runtime that only sums up does not say which batch, or which instance, a time was of.
  bool HasSums() const {
    dom::array table;
    return operators_.empty() &&
           profile_.at_pointer("/operators/table").get(table) == simdjson::SUCCESS &&
           table.begin() != table.end();
  }

  void AddBatches() {
    const bool sums = HasSums();
    for (auto& [thread, spans] : batches_) {
      std::sort(spans.begin(), spans.end(),
                [](const BatchSpan& a, const BatchSpan& b) { return a.start < b.start; });
      for (BatchSpan& span : spans) {
        const std::size_t outer =
            sums ? model_ : frames_.Child(model_, "instance " + span.instance, Kind::kServer);
        span.frame = frames_.Child(outer, sums ? "all batches" : span.name, Kind::kServer);
        frames_.Add(model_, span.duration);
        if (!sums) {
          frames_.Add(outer, span.duration);
        }
        frames_.Add(span.frame, span.duration);
      }
    }
  }

  // The frame of the batch that an outermost operator belongs to: by its middle, since runtimes
  // have clocks of their own. kNoFrame where it ran outside of all.
  std::size_t BatchOf(const OperatorEvent& event) const {
    const BatchSpan* const span = BatchAt(event.thread, event.start + event.duration / 2);
    return span == nullptr ? kNoFrame : span->frame;
  }

  // The batch that a thread executed then; null: none.
  const BatchSpan* BatchAt(std::int64_t thread, Nanos at) const {
    const auto spans = batches_.find(thread);
    if (spans == batches_.end()) {
      return nullptr;
    }
    const auto next =
        std::upper_bound(spans->second.begin(), spans->second.end(), at,
                         [](Nanos time, const BatchSpan& span) { return time < span.start; });
    if (next == spans->second.begin()) {
      return nullptr;
    }
    const BatchSpan& span = *std::prev(next);
    return at > span.start + span.duration ? nullptr : &span;
  }

  void AddOperators(const std::vector<std::size_t>& parents) {
    std::vector<std::size_t> frames(operators_.size(), kNoFrame);
    for (std::size_t i = 0; i < operators_.size(); ++i) {
      const OperatorEvent& event = operators_[i];
      const bool outermost = parents[i] == kNoOperator;
      std::size_t frame = !outermost        ? frames[parents[i]]
                          : event.on_device ? device_
                                            : BatchOf(event);
      if (frame == kNoFrame) {
        continue;
      }
      if (outermost && event.on_device) {
        frames_.Add(device_, event.duration);
      }
      frame = AddLines(frame, event);
      frames[i] = frames_.Child(frame, NameOf(event.name, event.kind), KindOf(event));
      if (frames[i] != frame) {
        frames_.Add(frames[i], event.duration);
      }
    }
  }

  // The frame of the innermost line of the source that called an operator.
  std::size_t AddLines(std::size_t frame, const OperatorEvent& event) {
    std::string_view stack = event.stack;
    while (!stack.empty()) {
      const std::size_t end = std::min(stack.find(';'), stack.size());
      const std::size_t line = frames_.Child(frame, stack.substr(0, end), Kind::kSource);
      if (line == frame) {
        return frame;
      }
      frames_.Add(line, event.duration);
      frame = line;
      stack.remove_prefix(std::min(end + 1, stack.size()));
    }
    return frame;
  }

  // Frames of a sample: the thread, and of an instance the batch and the operators that it was in;
  // then the function. Each takes the processor time that the sample stands for.
  void AddSamples(const dom::element& document, const std::vector<std::size_t>& parents) {
    dom::array samples;
    dom::element functions, cpu;
    if (document["samples"].get(samples) != simdjson::SUCCESS ||
        document["stackFrames"].get(functions) != simdjson::SUCCESS ||
        profile_["cpu"].get(cpu) != simdjson::SUCCESS) {
      return;
    }
    const Nanos time = Microseconds(cpu, "sample_us");
    const std::size_t all = frames_.Child(FrameTree::kRoot, kCpuFrame, Kind::kFunction);
    std::map<std::uint64_t, std::string> names;  // by number
    for (const dom::element sample : samples) {
      const auto thread = static_cast<std::int64_t>(Number(sample, "tid"));
      const Nanos at = Microseconds(sample, "ts");
      const auto number = static_cast<std::uint64_t>(Number(sample, "sf"));
      const auto [name, is_new] = names.try_emplace(number);
      if (dom::element function;
          is_new && functions[std::to_string(number)].get(function) == simdjson::SUCCESS) {
        name->second = Text(function, "name");
      }
      frames_.Add(all, time);
      const auto known = thread_names_.find(thread);
      std::size_t frame = AddSampled(
          all, known == thread_names_.end() ? "other threads" : known->second, Kind::kServer, time);
      if (batches_.contains(thread)) {
        const BatchSpan* const batch = BatchAt(thread, at);
        frame = AddSampled(frame, batch == nullptr ? "between batches" : batch->name, Kind::kServer,
                           time);
        frame = AddOperatorsAt(frame, thread, at, parents, time);
      }
      AddSampled(frame, name->second, Kind::kFunction, time);
    }
  }

  std::size_t AddSampled(std::size_t outer, std::string_view name, Kind kind, Nanos time) {
    const std::size_t frame = frames_.Child(outer, name, kind);
    if (frame != outer) {
      frames_.Add(frame, time);
    }
    return frame;
  }

  std::size_t AddOperatorsAt(std::size_t frame, std::int64_t thread, Nanos at,
                             const std::vector<std::size_t>& parents, Nanos time) {
    std::vector<std::size_t> chain;
    for (std::size_t inner = InnermostAt(operators_, parents, thread, at); inner != kNoOperator;
         inner = parents[inner]) {
      chain.push_back(inner);
    }
    for (auto event = chain.rbegin(); event != chain.rend(); ++event) {
      const OperatorEvent& called = operators_[*event];
      frame = AddSampled(frame, NameOf(called.name, called.kind), KindOf(called), time);
    }
    return frame;
  }

  static Kind KindOf(const OperatorEvent& event) {
    if (event.on_device) {
      return Kind::kDevice;
    }
    return IsCopy(event.name, event.kind) ? Kind::kCopy : Kind::kOperator;
  }

  void AddSums() {
    dom::array table;
    if (!HasSums() || profile_.at_pointer("/operators/table").get(table) != simdjson::SUCCESS) {
      return;
    }
    const std::size_t all = frames_.Child(model_, "all batches", Kind::kServer);
    for (const dom::element line : table) {
      const std::string kind = Text(line, "kind");
      const std::string name = Text(line, "name");
      frames_.Add(frames_.Child(all, NameOf(name, kind),
                                IsCopy(name, kind) ? Kind::kCopy : Kind::kOperator),
                  Microseconds(line, "self_us"), static_cast<std::uint64_t>(Number(line, "count")));
    }
    frames_.Cover(all);
    frames_.Cover(model_);
  }

  dom::parser parser_;
  dom::element profile_;
  std::map<std::int64_t, std::vector<BatchSpan>> batches_;  // by thread, then by start
  std::vector<OperatorEvent> operators_;
  std::map<std::int64_t, std::string> thread_names_;
  FrameTree frames_;
  std::size_t model_ = 0, device_ = 0;
};

// Frame names in collapsed stacks: without what separates frames and stacks.
std::string Plain(std::string_view name) {
  std::string plain(name);
  std::replace(plain.begin(), plain.end(), ';', ':');
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return plain;
}

void Collapse(const FlameFrame& frame, const std::string& outer, std::string& text) {
  const std::string path = outer + (outer.empty() ? "" : ";") + Plain(frame.name);
  if (const Nanos self = frame.self(); self > 0) {
    text += fmt::format("{} {}\n", path, self);
  }
  for (const FlameFrame& child : frame.children) {
    Collapse(child, path, text);
  }
}

}  // namespace

Result<FlameFrame> FlameGraphOf(std::string_view document) { return Builder().Take(document); }

std::string CollapsedStacks(const FlameFrame& root) {
  std::string text;
  Collapse(root, "", text);
  return text;
}

}  // namespace headrace::profiling
