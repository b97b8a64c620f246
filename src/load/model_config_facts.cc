#include "load/model_config_facts.h"

#include <algorithm>
#include <utility>

#include "load/json_document.h"

namespace headrace::load {

Status AddConfig(std::string config_json, const std::string& url, ModelFacts& facts) {
  HEADRACE_ASSIGN_OR_RETURN(const JsonDocument config, JsonDocument::Parse(config_json, url));
  if (!config.root().is_object()) {
    return InvalidArgument("{}: a model configuration is an object, and this is {}", url,
                           JsonTypeName(config.root()));
  }
  facts.batch_size_max = std::max<std::int64_t>(0, IntMember(config.root(), "max_batch_size"));
  if (const auto policy = Member(config.root(), "model_transaction_policy")) {
    facts.decoupled = BoolMember(*policy, "decoupled");
  }
  facts.sequences = Member(config.root(), "sequence_batching").has_value();
  if (const auto ensemble = Member(config.root(), "ensemble_scheduling")) {
    if (const auto steps = ArrayMember(*ensemble, "step")) {
      for (const JsonElement step : *steps) {
        if (const auto name = StringMember(step, "model_name"); !name.empty()) {
          facts.composing_models.emplace_back(name);
        }
      }
    }
  }
  if (const auto inputs = ArrayMember(config.root(), "input")) {
    for (const JsonElement input : *inputs) {
      for (TensorFacts& tensor : facts.inputs) {
        tensor.optional |=
            tensor.name == StringMember(input, "name") && BoolMember(input, "optional");
      }
    }
  }
  facts.config_json = std::move(config_json);
  return OkStatus();
}

}  // namespace headrace::load
