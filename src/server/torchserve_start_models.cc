#include "server/torchserve_start_models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "base/ascii.h"
#include "base/log.h"
#include "store/snapshot.h"

namespace headrace::server {
namespace {

using StartModel = store::ModelStore::StartModel;

Result<std::vector<StartModel>> OfSnapshot(const TorchServeConfig& config) {
  auto models = store::ParseSnapshot(config.model_snapshot);
  if (!models.ok()) {
    return models.status().WithPrefix("model_snapshot: ");
  }
  const std::vector<std::string> missing = store::MissingArchives(*models, config.model_store);
  if (!missing.empty()) {
    return InvalidArgument(
        "model_snapshot: these archives are not in {}: {}; put them there, or start with "
        "--no-config-snapshots",
        config.model_store, fmt::join(missing, ", "));
  }
  if (!config.load_models.empty()) {
    HEADRACE_LOG_WARNING("load_models and --models have no effect: a snapshot is restored");
  }
  for (StartModel& model : *models) {
    model.registration.at_start = true;
  }
  return models;
}

}  // namespace

StartModel StartModelOf(std::string_view text) {
  StartModel model;
  model.registration.at_start = true;
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos &&
      text.substr(0, equals).find_first_of("/:?") == std::string_view::npos) {
    model.registration.name = text.substr(0, equals);
    text.remove_prefix(equals + 1);
  }
  model.registration.url = text;
  return model;
}

Result<std::vector<StartModel>> StartModels(const TorchServeConfig& config,
                                            const store::ModelStore& store) {
  if (!config.model_snapshot.empty()) {
    return OfSnapshot(config);
  }
  const std::vector<std::string>& wanted = config.load_models;
  const bool all = std::any_of(wanted.begin(), wanted.end(), [](const std::string& name) {
    return EqualsIgnoringCase(name, "all");
  });
  std::vector<std::string> names = wanted;
  if (all) {
    HEADRACE_ASSIGN_OR_RETURN(names, store.ArchivesInStore());
  }
  std::vector<StartModel> models;
  for (const std::string& name : names) {
    // The names of files may have a '='; those that a user wrote have it behind the model's.
    StartModel& model = models.emplace_back(all ? StartModel() : StartModelOf(name));
    if (all) {
      model.registration.url = name;
      model.registration.at_start = true;
    }
  }
  return models;
}

}  // namespace headrace::server
