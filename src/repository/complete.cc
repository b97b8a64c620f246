#include "repository/complete.h"

#include <string_view>

#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

std::string_view ChoiceName(inference::ModelConfig::SchedulingChoiceCase choice) {
  switch (choice) {
    case inference::ModelConfig::kDynamicBatching:
      return "dynamic_batching";
    case inference::ModelConfig::kSequenceBatching:
      return "sequence_batching";
    case inference::ModelConfig::kEnsembleScheduling:
      return "ensemble_scheduling";
    case inference::ModelConfig::SCHEDULING_CHOICE_NOT_SET:
      break;
  }
  return "none";
}

}  // namespace

Status MergeProposal(const inference::ModelConfig& proposed, inference::ModelConfig& config) {
  const auto had = config.scheduling_choice_case();
  const auto wants = proposed.scheduling_choice_case();
  if (had == inference::ModelConfig::SCHEDULING_CHOICE_NOT_SET) {
    if (proposed.has_dynamic_batching()) {
      *config.mutable_dynamic_batching() = proposed.dynamic_batching();
    } else if (proposed.has_sequence_batching()) {
      *config.mutable_sequence_batching() = proposed.sequence_batching();
    } else if (proposed.has_ensemble_scheduling()) {
      *config.mutable_ensemble_scheduling() = proposed.ensemble_scheduling();
    }
  } else if (had != wants && wants != inference::ModelConfig::SCHEDULING_CHOICE_NOT_SET) {
    return Internal("Cannot update scheduling choice from {} to {}.", ChoiceName(had),
                    ChoiceName(wants));
  }
  config.set_max_batch_size(proposed.max_batch_size());
  *config.mutable_input() = proposed.input();
  *config.mutable_output() = proposed.output();
  if (proposed.has_model_transaction_policy()) {
    config.mutable_model_transaction_policy()->set_decoupled(
        proposed.model_transaction_policy().decoupled());
  }
  return OkStatus();
}

}  // namespace headrace::repository
