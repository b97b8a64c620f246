#include "tune/tune_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "bench/bench_values.h"
#include "load/arrivals.h"
#include "tune/goal_flags.h"

namespace headrace::tune {
namespace {

bool IsArchive(std::string_view name) {
  for (const std::string_view end : {".mar", ".tgz", ".tar.gz", ".zip"}) {
    if (name.ends_with(end)) {
      return true;
    }
  }
  return false;
}

std::string Stem(const std::string& path) {
  std::string name = std::filesystem::path(path).filename();
  return name.substr(0, name.find('.'));
}

Result<std::int64_t> ParseCount(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) {
    return InvalidArgument("'{}' is no whole number above 0", text);
  }
  return value;
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  Result<TuneOptions> Take() {
    options_.command_line = arguments_;
    options_.search.accuracy_drop_max = 0.005;
    while (at_ < arguments_.size() && error_.ok()) {
      Next();
    }
    HEADRACE_RETURN_IF_ERROR(error_);
    if (options_.help) {
      return std::move(options_);
    }
    HEADRACE_RETURN_IF_ERROR(Check());
    HEADRACE_RETURN_IF_ERROR(ParseRest());
    return std::move(options_);
  }

 private:
  void Fail(Status status) {
    if (error_.ok()) {
      error_ = std::move(status);
    }
  }

  void Next() {
    std::string argument = arguments_[at_++];
    if (argument.empty() || argument.front() != '-') {
      return Bare(std::move(argument));
    }
    std::optional<std::string> value;
    if (const std::size_t equals = argument.find('=');
        equals != std::string::npos && argument.starts_with("--")) {
      value = argument.substr(equals + 1);
      argument.resize(equals);
    }
    if (Switch(argument)) {
      if (value) {
        Fail(InvalidArgument("{}: takes no value", argument));
      }
      return;
    }
    const auto& texts = Texts();
    if (const auto known = texts.find(argument); known != texts.end()) {
      if (!value && at_ == arguments_.size()) {
        return Fail(InvalidArgument("{}: needs a value", argument));
      }
      const Status status = known->second(value ? *value : arguments_[at_++]);
      return status.ok() ? void() : Fail(status.WithPrefix(argument + ": "));
    }
    // bench's: with the value that stands behind it, if there is one.
    rest_.push_back(value ? argument + "=" + *value : argument);
    if (!value && at_ < arguments_.size() && !arguments_[at_].starts_with('-')) {
      rest_.push_back(arguments_[at_++]);
    }
  }

  void Bare(std::string argument) {
    if (!options_.model.empty()) {
      return Fail(goals_.AddModel(std::move(argument)));
    }
    if (IsArchive(argument)) {
      options_.archive = argument;
      options_.model = Stem(argument);
    } else {
      options_.model = std::move(argument);
    }
    Fail(goals_.AddModel(options_.model));
  }

  bool Switch(const std::string& name) {
    if (name == "--apply") {
      options_.apply = true;
    } else if (name == "--online") {
      options_.online = true;
    } else if (name == "--force") {
      options_.force = true;
    } else if (name == "--quiet") {
      options_.quiet = true;
    } else if (name == "--no-variants") {
      options_.variants = false;
    } else if (name == "--help" || name == "-h") {
      options_.help = true;
    } else {
      return false;
    }
    return true;
  }

  using Setter = std::function<Status(const std::string&)>;
  const std::map<std::string, Setter>& Texts() {
    if (texts_.empty()) {
      texts_["--sla"] = [this](const std::string& text) { return goals_.SetSla(text); };
      texts_["--share"] = [this](const std::string& text) { return goals_.SetShare(text); };
      texts_["--input-data"] = [this](const std::string& text) {
        goals_.AddData(text);
        return OkStatus();
      };
      texts_["--budget"] = [this](const std::string& text) {
        HEADRACE_ASSIGN_OR_RETURN(options_.search.budget, bench::ParseDuration(text));
        return options_.search.budget >= kSecond && options_.search.budget != kNever
                   ? OkStatus()
                   : InvalidArgument("'{}': must be at least 1 s, as 30s, 5m or 1h", text);
      };
      texts_["--accuracy-drop"] = [this](const std::string& text) {
        HEADRACE_ASSIGN_OR_RETURN(options_.search.accuracy_drop_max, bench::ParseShare(text));
        return OkStatus();
      };
      texts_["--objective"] = [this](const std::string& text) { return SetObjective(text); };
      texts_["--rate"] = [this](const std::string& text) {
        HEADRACE_ASSIGN_OR_RETURN(options_.search.rate_wanted, bench::ParseNumber(text));
        return options_.search.rate_wanted > 0 ? OkStatus() : InvalidArgument("must be above 0");
      };
      texts_["--rate-shape"] = [this](const std::string& text) { return SetShape(text); };
      texts_["--memory-max"] = [this](const std::string& text) {
        HEADRACE_ASSIGN_OR_RETURN(const std::int64_t bytes, ParseCount(text));
        options_.search.memory_bytes = static_cast<std::uint64_t>(bytes);
        return OkStatus();
      };
      texts_["--seed"] = [this](const std::string& text) {
        HEADRACE_ASSIGN_OR_RETURN(const std::int64_t seed, ParseCount(text));
        options_.search.seed = static_cast<std::uint64_t>(seed);
        rest_.insert(rest_.end(), {"--seed", text});
        return OkStatus();
      };
      texts_["--device"] = [this](const std::string& text) {
        options_.device = text;
        return text == "cpu" || text == "gpu" || text == "both"
                   ? OkStatus()
                   : InvalidArgument("'{}' is none of cpu, gpu, both", text);
      };
      texts_["--delays"] = [this](const std::string& text) { return SetDelays(text); };
      Counts();
      Plain();
    }
    return texts_;
  }

  void Counts() {
    texts_["--batch-max"] = [this](const std::string& text) {
      HEADRACE_ASSIGN_OR_RETURN(options_.batch_max, ParseCount(text));
      return options_.batch_max <= 4096 ? OkStatus() : InvalidArgument("must be at most 4096");
    };
    for (auto [name, field] : {std::pair("--instances-max", &TuneOptions::instances_max),
                               std::pair("--cores", &TuneOptions::cores)}) {
      texts_[name] = [this, field](const std::string& text) {
        HEADRACE_ASSIGN_OR_RETURN(const std::int64_t count, ParseCount(text));
        options_.*field = static_cast<int>(std::min<std::int64_t>(count, 4096));
        return OkStatus();
      };
    }
  }

  void Plain() {
    for (auto [name, field] :
         {std::pair("--resume", &TuneOptions::resume), std::pair("--json", &TuneOptions::json),
          std::pair("--html", &TuneOptions::html), std::pair("-u", &TuneOptions::url),
          std::pair("--url", &TuneOptions::url),
          std::pair("--management-url", &TuneOptions::management_url),
          std::pair("--management-token", &TuneOptions::management_token)}) {
      texts_[name] = [this, field](const std::string& text) {
        options_.*field = text;
        return text.empty() ? InvalidArgument("must not be empty") : OkStatus();
      };
    }
    texts_["--model-repository"] = [this](const std::string& text) {
      options_.repositories.push_back(text);
      return std::filesystem::is_directory(text) ? OkStatus()
                                                 : InvalidArgument("'{}' is no directory", text);
    };
  }

  Status SetObjective(const std::string& text) {
    if (text == "throughput") {
      options_.search.objective = Objective::kThroughput;
    } else if (text == "cost") {
      options_.search.objective = Objective::kCost;
    } else if (text == "pareto") {
      options_.search.objective = Objective::kPareto;
    } else {
      return InvalidArgument("'{}' is none of throughput, cost, pareto", text);
    }
    return OkStatus();
  }

  Status SetDelays(std::string_view text) {
    constexpr std::size_t kMost = 16;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find(','), text.size());
      HEADRACE_ASSIGN_OR_RETURN(const Nanos delay, bench::ParseDuration(text.substr(0, end)));
      if (delay == kNever || options_.delays.size() == kMost) {
        return InvalidArgument("write at most {} times, as 0,2ms,10ms", kMost);
      }
      options_.delays.push_back(delay);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    std::sort(options_.delays.begin(), options_.delays.end());
    return options_.delays.empty() || options_.delays.front() != 0
               ? InvalidArgument("0 must be among them: what cannot wait is tried without delay")
               : OkStatus();
  }

  // "poisson", or "replay" with the file behind it.
  Status SetShape(const std::string& text) {
    if (text == "poisson") {
      return OkStatus();
    }
    if (text != "replay" || at_ == arguments_.size()) {
      return InvalidArgument("'{}' is neither poisson nor replay FILE", text);
    }
    HEADRACE_ASSIGN_OR_RETURN(options_.search.intervals, load::ReadIntervals(arguments_[at_++]));
    return options_.search.intervals.empty() ? InvalidArgument("the file has no gaps") : OkStatus();
  }

  Status Check() {
    if (options_.model.empty()) {
      return InvalidArgument("which model? headrace tune MODEL --sla p99=100ms");
    }
    HEADRACE_ASSIGN_OR_RETURN(ModelGoals goals, goals_.Resolve());
    for (const std::string& data : goals.data) {
      rest_.insert(rest_.end(), {"--input-data", data});
    }
    options_.search.target = goals.models.front().target;
    if (goals.models.size() > 1) {
      options_.models = std::move(goals.models);
      HEADRACE_RETURN_IF_ERROR(CheckSeveral());
    }
    if (options_.url.empty() && options_.repositories.empty() && options_.archive.empty()) {
      return InvalidArgument(
          "where is the model? --model-repository DIR for a server of our own, -u URL for one that "
          "runs, or the path of an archive");
    }
    if (!options_.archive.empty()) {
      if (!options_.url.empty() || !options_.repositories.empty()) {
        return InvalidArgument(
            "an archive is served by a server of our own: without -u and --model-repository");
      }
      if (!std::filesystem::is_regular_file(options_.archive)) {
        return InvalidArgument("'{}' is no file", options_.archive);
      }
    }
    return options_.online ? CheckOnline() : OkStatus();
  }

  Status CheckOnline() const {
    if (!options_.apply) {
      return InvalidArgument("--online: goes with --apply, which writes its bounds");
    }
    return options_.archive.empty()
               ? OkStatus()
               : InvalidArgument(
                     "--online: an archive has no such bounds; minWorkers and maxWorkers "
                     "of its model-config.yaml scale its workers by load");
  }

  Status CheckSeveral() const {
    if (!options_.archive.empty() ||
        std::any_of(options_.models.begin(), options_.models.end(),
                    [](const ModelGoal& goal) { return IsArchive(goal.model); })) {
      return InvalidArgument(
          "several archives: put them into a model repository (NAME/1/NAME.mar), and name that by "
          "--model-repository");
    }
    const std::pair<std::string_view, bool> alone[] = {
        {"--online", options_.online},
        {"--objective", options_.search.objective != Objective::kThroughput},
        {"--rate-shape replay", !options_.search.intervals.empty()}};
    for (const auto& [flag, given] : alone) {
      if (given) {
        return InvalidArgument("{}: goes with one model at a time", flag);
      }
    }
    return OkStatus();
  }

  Status ParseRest() {
    std::vector<std::string> arguments = {"-m", options_.model};
    if (!options_.url.empty()) {
      arguments.insert(arguments.end(), {"-u", options_.url});
    }
    arguments.insert(arguments.end(), rest_.begin(), rest_.end());
    HEADRACE_ASSIGN_OR_RETURN(options_.bench, bench::ParseBenchOptions(arguments));
    load::ControlSpec& control = options_.bench.control;
    control.management_url = options_.management_url;
    control.management_token = options_.management_token;
    const bool torchserve = control.target.protocol == load::Protocol::kTorchServe;
    if (!torchserve && !(control.management_url + control.management_token).empty()) {
      return InvalidArgument(
          "--management-url, --management-token: these are TorchServe's; they go with -i "
          "torchserve");
    }
    return OkStatus();
  }

  const std::vector<std::string>& arguments_;
  std::size_t at_ = 0;
  TuneOptions options_;
  std::vector<std::string> rest_;  // bench's
  std::map<std::string, Setter> texts_;
  GoalFlags goals_;
  Status error_;
};

}  // namespace

Result<TuneOptions> ParseTuneOptions(const std::vector<std::string>& arguments) {
  return Parser(arguments).Take();
}

}  // namespace headrace::tune
