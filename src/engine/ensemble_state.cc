#include "engine/ensemble_state.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace headrace::engine {

EnsembleState::EnsembleState(const EnsemblePlan& plan,
                             const std::vector<std::string>& wanted_outputs)
    : plan_(plan),
      needed_(NeededSteps(plan, wanted_outputs)),
      wanted_(plan.tensors.size()),
      uses_(plan.tensors.size()),
      response_counts_(plan.steps.size()),
      ready_counts_(plan.steps.size()) {
  for (const std::size_t output : plan.outputs) {
    wanted_[output] =
        wanted_outputs.empty() || std::find(wanted_outputs.begin(), wanted_outputs.end(),
                                            plan.tensors[output].name) != wanted_outputs.end();
    answers_iterate_ = answers_iterate_ || (wanted_[output] && plan.tensors[output].iterated);
  }
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const auto& readers = plan.tensors[i].readers;
    uses_[i] = static_cast<std::size_t>(
        std::count_if(readers.begin(), readers.end(), [&](std::size_t s) { return needed_[s]; }));
    uses_[i] += wanted_[i] ? 1 : 0;
  }
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    steps_left_ += needed_[i] && !plan.steps[i].iterated ? 1 : 0;
  }
}

void EnsembleState::Begin(std::vector<NamedTensor> inputs) {
  for (const std::size_t input : plan_.inputs) {
    const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const NamedTensor& one) {
      return one.name == plan_.tensors[input].name;
    });
    const bool absent = found == inputs.end();
    Set(input, 0, absent ? Tensor() : std::move(found->tensor), absent);
  }
}

void EnsembleState::Accept(std::size_t step, std::uint64_t iteration, InferResponse response) {
  const EnsemblePlan::Step& from = plan_.steps[step];
  const std::uint64_t number = response_counts_[step]++;
  for (NamedTensor& output : response.outputs) {
    for (const auto& binding : from.outputs) {
      if (binding.name == output.name) {
        Set(binding.tensor, from.decoupled ? number : iteration, std::move(output.tensor), false);
        break;
      }
    }
  }
}

void EnsembleState::Set(std::size_t tensor, std::uint64_t iteration, Tensor value, bool absent) {
  if (uses_[tensor] == 0) {
    return;
  }
  const EnsemblePlan::Tensor& what = plan_.tensors[tensor];
  Slot& slot = (what.iterated ? iterations_[iteration] : root_)[tensor];
  if (slot.set) {
    return;  // a backend named an output twice
  }
  slot = {.tensor = std::move(value), .uses_left = uses_[tensor], .set = true, .absent = absent};
  std::vector<std::uint64_t> affected{iteration};
  if (!what.iterated) {
    affected.clear();
    for (const auto& [number, level] : iterations_) {
      affected.push_back(number);
    }
  }
  for (const std::size_t reader : what.readers) {
    if (!needed_[reader]) {
      continue;
    }
    if (!plan_.steps[reader].iterated) {
      TryStart(reader, 0);
      continue;
    }
    for (const std::uint64_t number : affected) {
      TryStart(reader, number);
    }
  }
  if (!wanted_[tensor]) {
    return;
  }
  if (!answers_iterate_) {
    TryAnswer(0);
    return;
  }
  for (const std::uint64_t number : affected) {
    TryAnswer(number);
  }
}

const EnsembleState::Slot* EnsembleState::Find(std::size_t tensor, std::uint64_t iteration) const {
  const Level* level = &root_;
  if (plan_.tensors[tensor].iterated) {
    const auto found = iterations_.find(iteration);
    if (found == iterations_.end()) {
      return nullptr;
    }
    level = &found->second;
  }
  const auto slot = level->find(tensor);
  return slot == level->end() ? nullptr : &slot->second;
}

// Called when an input of the step has been set. Each is set once for an iteration, so that the
// last of them starts the step once.
void EnsembleState::TryStart(std::size_t step, std::uint64_t iteration) {
  const EnsemblePlan::Step& what = plan_.steps[step];
  for (const auto& input : what.inputs) {
    if (Find(input.tensor, iteration) == nullptr) {
      return;
    }
  }
  Start start{.step = step, .iteration = iteration, .inputs = {}};
  start.inputs.reserve(what.inputs.size());
  for (const auto& input : what.inputs) {
    const Slot* slot = Find(input.tensor, iteration);
    if (!slot->absent) {
      start.inputs.push_back({input.name, slot->tensor});
    }
  }
  for (std::size_t i = 0; i < what.inputs.size(); ++i) {
    const std::size_t tensor = what.inputs[i].tensor;
    const bool again =
        std::any_of(what.inputs.begin(), what.inputs.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const EnsemblePlan::Binding& before) { return before.tensor == tensor; });
    if (!again) {
      Use(tensor, iteration, what.iterated);
    }
  }
  if (!what.iterated) {
    --steps_left_;
  }
  ++ready_counts_[step];
  ready_.push_back(std::move(start));
}

void EnsembleState::TryAnswer(std::uint64_t iteration) {
  InferResponse response;
  for (const std::size_t output : plan_.outputs) {
    if (!wanted_[output]) {
      continue;
    }
    const Slot* slot = Find(output, iteration);
    if (slot == nullptr) {
      return;
    }
    if (!slot->absent) {
      response.outputs.push_back({plan_.tensors[output].name, slot->tensor});
    }
  }
  for (const std::size_t output : plan_.outputs) {
    if (wanted_[output]) {
      Use(output, iteration, answers_iterate_);
    }
  }
  ++answered_;
  responses_.push_back(std::move(response));
}

void EnsembleState::Use(std::size_t tensor, std::uint64_t iteration, bool reader_iterated) {
  if (!plan_.tensors[tensor].iterated) {
    if (reader_iterated) {
      return;  // the next iteration wants it too
    }
    const auto slot = root_.find(tensor);
    HEADRACE_CHECK(slot->second.uses_left > 0);
    if (--slot->second.uses_left == 0) {
      root_.erase(slot);
    }
    return;
  }
  const auto level = iterations_.find(iteration);
  const auto slot = level->second.find(tensor);
  HEADRACE_CHECK(slot->second.uses_left > 0);
  if (--slot->second.uses_left == 0) {
    level->second.erase(slot);
    if (level->second.empty()) {
      iterations_.erase(level);
    }
  }
}

EnsembleState::Start EnsembleState::TakeReady() {
  Start start = std::move(ready_.front());
  ready_.pop_front();
  --ready_counts_[start.step];
  return start;
}

InferResponse EnsembleState::TakeResponse() {
  InferResponse response = std::move(responses_.front());
  responses_.pop_front();
  return response;
}

std::vector<std::string> EnsembleState::WantedOutputs(std::size_t step) const {
  std::vector<std::string> names;
  for (const auto& output : plan_.steps[step].outputs) {
    if (uses_[output.tensor] > 0) {
      names.push_back(output.name);
    }
  }
  return names;
}

bool EnsembleState::complete() const {
  // A decoupled ensemble may answer with nothing at all, but not because tensors got stuck.
  return steps_left_ == 0 && (answered_ > 0 || (answers_iterate_ && iterations_.empty()));
}

std::size_t EnsembleState::held_count() const {
  std::size_t count = root_.size();
  for (const auto& [number, level] : iterations_) {
    count += level.size();
  }
  return count;
}

}  // namespace headrace::engine
