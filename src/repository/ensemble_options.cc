#include "repository/ensemble_options.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/model_key.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

// Sorted: what a protobuf map gives has no order of its own.
template <typename Map>
std::vector<std::pair<std::string, std::string>> Pairs(const Map& map) {
  std::vector<std::pair<std::string, std::string>> pairs(map.begin(), map.end());
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

engine::EnsembleSpec ToSpec(const inference::ModelConfig& config) {
  engine::EnsembleSpec spec;
  spec.name = config.name();
  spec.inflight_max = config.ensemble_scheduling().max_inflight_requests();
  for (const auto& step : config.ensemble_scheduling().step()) {
    spec.steps.push_back({.model = engine::MakeModelKey(step.model_namespace(), step.model_name()),
                          .version = step.model_version(),
                          .inputs = Pairs(step.input_map()),
                          .outputs = Pairs(step.output_map())});
  }
  return spec;
}

}  // namespace

Result<std::shared_ptr<engine::Ensemble>> BuildEnsemble(const inference::ModelConfig& config,
                                                        const engine::ModelSignature& signature,
                                                        const PartFinder& find_part,
                                                        const engine::Registry& registry,
                                                        BlockPool& pool) {
  const engine::EnsembleSpec spec = ToSpec(config);
  std::vector<engine::ModelHandle> handles;  // keep the signatures
  std::vector<engine::ComposingSignature> models;
  for (const engine::EnsembleStepSpec& step : spec.steps) {
    handles.push_back(find_part(step.model, step.version));
    if (handles.back() == nullptr) {
      return InvalidArgument("ensemble '{}' depends on '{}' which has no loaded version.",
                             spec.name, step.model);
    }
    models.push_back({&handles.back()->signature(), handles.back()->options().decoupled});
  }
  HEADRACE_ASSIGN_OR_RETURN(engine::EnsemblePlan plan,
                            engine::MakeEnsemblePlan(spec, signature, models));
  return std::make_shared<engine::Ensemble>(std::move(plan), registry, pool);
}

}  // namespace headrace::repository
