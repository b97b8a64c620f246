#include "tune/goal_flags.h"

#include <algorithm>
#include <utility>

#include "bench/bench_values.h"

namespace headrace::tune {

Status GoalFlags::AddModel(std::string name) {
  constexpr std::size_t kModelsMax = 16;
  if (names_.size() == kModelsMax) {
    return InvalidArgument("'{}': at most {} models at a time", name, kModelsMax);
  }
  names_.push_back(std::move(name));
  return OkStatus();
}

Status GoalFlags::SetSla(std::string_view text) {
  const std::size_t colon = text.substr(0, text.find('=')).rfind(':');
  const std::string name(colon == std::string_view::npos ? "" : text.substr(0, colon));
  text.remove_prefix(colon == std::string_view::npos ? 0 : colon + 1);
  HEADRACE_ASSIGN_OR_RETURN(const bench::Sla sla, bench::ParseSla(text));
  if (sla.limit <= 0 || sla.limit == kNever || sla.percentile <= 0 || sla.percentile >= 100) {
    return InvalidArgument("'{}': write it as p99=100ms", text);
  }
  targets_[name] = {.sla = sla.limit, .percentile = sla.percentile};
  return OkStatus();
}

Status GoalFlags::SetShare(std::string_view text) {
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    const std::size_t equals = one.rfind('=');
    const Result<double> share =
        bench::ParseNumber(equals == std::string_view::npos ? "" : one.substr(equals + 1));
    if (!share.ok() || !(*share > 0) || *share > 1e6) {
      return InvalidArgument("'{}': write it as MODEL=3, with a number above 0", one);
    }
    shares_[std::string(one.substr(0, equals))] = *share;
    text.remove_prefix(std::min(one.size() + 1, text.size()));
  }
  return OkStatus();
}

bool GoalFlags::Known(const std::string& name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

Result<Target> GoalFlags::TargetOf(const std::string& name) const {
  for (const std::string& key : {name, std::string()}) {
    if (const auto found = targets_.find(key); found != targets_.end()) {
      return found->second;
    }
  }
  return names_.size() > 1
             ? InvalidArgument("--sla: needed for each model, as in --sla {}:p99=100ms", name)
             : InvalidArgument("--sla: needed, as in --sla p99=100ms");
}

Status GoalFlags::CheckNames() const {
  for (const auto& [name, _] : targets_) {
    if (!name.empty() && !Known(name)) {
      return InvalidArgument("--sla: '{}' is none of the models", name);
    }
  }
  for (const auto& [name, _] : shares_) {
    if (!Known(name)) {
      return InvalidArgument("--share: '{}' is none of the models", name);
    }
  }
  for (const std::string& name : names_) {
    if (std::count(names_.begin(), names_.end(), name) > 1) {
      return InvalidArgument("'{}': the model is there twice", name);
    }
  }
  return OkStatus();
}

Result<ModelGoals> GoalFlags::Resolve() const {
  HEADRACE_RETURN_IF_ERROR(CheckNames());
  ModelGoals goals;
  for (const std::string& name : names_) {
    HEADRACE_ASSIGN_OR_RETURN(const Target target, TargetOf(name));
    const auto share = shares_.find(name);
    goals.models.push_back(
        {.model = name, .target = target, .share = share == shares_.end() ? 1 : share->second});
  }
  for (const std::string& text : data_) {
    const std::size_t colon = text.find(':');
    const auto goal =
        std::find_if(goals.models.begin(), goals.models.end(), [&](const ModelGoal& one) {
          return colon != std::string::npos && one.model == text.substr(0, colon);
        });
    if (goal == goals.models.end()) {
      goals.data.push_back(text);
    } else {
      std::vector<std::string>& data = names_.size() > 1 ? goal->data : goals.data;
      data.push_back(text.substr(colon + 1));
    }
  }
  return goals;
}

}  // namespace headrace::tune
