#include "repository/ensemble_parts.h"

#include <algorithm>

#include "repository/namespaces.h"

namespace headrace::repository {

Status EnsembleParts::Check(const ModelPlan& plan) const {
  if (plan.parts.empty()) {
    return OkStatus();
  }
  return CheckComposition(plan.key(), plan.parts, [this](const std::string& model) {
    const auto location = FindModel(*repositories_.Load(), model, layout_options());
    return location.ok() ? ReadParts(*location, options_) : records_.PartsOf(model);
  });
}

std::vector<ComposingModel> EnsembleParts::Resolved(const std::string& ensemble,
                                                    std::vector<ComposingModel> parts) const {
  if (options_.namespaces != nullptr) {
    for (ComposingModel& part : parts) {
      if (!engine::HasNamespace(part.name)) {
        part.name = options_.namespaces->KeyOfPart(engine::NamespaceOfKey(ensemble), part.name);
      }
    }
  }
  return parts;
}

std::vector<ComposingModel> EnsembleParts::Loadable(
    const std::vector<ComposingModel>& parts) const {
  std::vector<ComposingModel> missing = Missing(parts);
  std::erase_if(missing, [this](const ComposingModel& part) {
    return options_.namespaces != nullptr && !engine::HasNamespace(part.name);
  });
  return missing;
}

std::vector<ComposingModel> EnsembleParts::Missing(const std::vector<ComposingModel>& parts) const {
  std::vector<ComposingModel> missing;
  for (const ComposingModel& part : parts) {
    const auto ready = board_.ReadyVersions(part.name);
    const bool serves = part.version < 0
                            ? !ready.empty()
                            : std::binary_search(ready.begin(), ready.end(), part.version);
    if (!serves) {
      missing.push_back(part);
    }
  }
  return missing;
}

Status EnsembleParts::Fault(const std::string& ensemble,
                            const std::vector<ComposingModel>& parts) const {
  const std::vector<ComposingModel> missing = Missing(parts);
  if (missing.empty()) {
    return OkStatus();
  }
  std::string absent;
  for (const ComposingModel& part : missing) {
    if (board_.KnownVersions(part.name).empty() &&
        !FindModel(*repositories_.Load(), part.name, layout_options()).ok()) {
      absent += (absent.empty() ? "" : ", ") + part.name;
    }
  }
  if (!absent.empty()) {
    return InvalidArgument("ensemble {} contains models that are not available or ambiguous: {}",
                           ensemble, absent);
  }
  const ComposingModel& first = missing.front();
  if (first.version > 0) {
    return InvalidArgument("ensemble '{}' depends on '{}' whose required version {} is not loaded.",
                           ensemble, first.name, first.version);
  }
  return InvalidArgument("ensemble '{}' depends on '{}' which has no loaded version.", ensemble,
                         first.name);
}

}  // namespace headrace::repository
