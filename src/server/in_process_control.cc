#include "server/in_process_control.h"

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "frontend/documents.h"
#include "frontend/model_descriptions.h"

namespace headrace::server {
namespace {

// As a path would name it; empty: the server chooses.
std::string TextOf(std::optional<std::int64_t> version) {
  return version ? std::to_string(*version) : std::string();
}

}  // namespace

InProcessControl::InProcessControl(frontend::FrontEndOptions options,
                                   const engine::Registry& registry,
                                   repository::ModelManager& models, frontend::FrontEnd& front_end)
    : options_(std::move(options)), registry_(registry), models_(models), front_end_(front_end) {}

bool InProcessControl::Ready() const {
  return !front_end_.draining() && models_.Ready(options_.strict_readiness);
}

std::string InProcessControl::MetadataJson() const {
  return frontend::ServerMetadataJson(options_.server_id, options_.server_version);
}

Result<std::string> InProcessControl::ModelMetadataJson(const std::string& name,
                                                        std::optional<std::int64_t> version) const {
  HEADRACE_ASSIGN_OR_RETURN(const frontend::ModelDescription description,
                            frontend::DescribeModel(name, TextOf(version), *registry_.Load()));
  return frontend::ModelMetadataJson(description);
}

Result<std::string> InProcessControl::StatisticsJson(const std::string& name,
                                                     std::optional<std::int64_t> version) const {
  HEADRACE_ASSIGN_OR_RETURN(
      const std::vector<engine::ModelHandle> models,
      frontend::ModelsWithStatistics(name, TextOf(version), *registry_.Load()));
  return frontend::StatisticsJson(models);
}

std::string InProcessControl::IndexJson(bool ready_only) const {
  return frontend::RepositoryIndexJson(models_.Index(ready_only));
}

std::string InProcessControl::MetricsPage() const { return front_end_.MetricsPage(); }

Status InProcessControl::Load(const std::string& name, std::string config_json,
                              std::map<std::string, std::string> files) {
  std::promise<Status> done;
  models_.LoadAsync(name, {.config_json = std::move(config_json), .files = std::move(files)},
                    [&](Status status) { done.set_value(std::move(status)); });
  Status status = done.get_future().get();
  front_end_.RefreshModels();
  return status;
}

Status InProcessControl::Unload(const std::string& name, bool unload_dependents) {
  std::promise<Status> done;
  models_.UnloadAsync(name, unload_dependents,
                      [&](Status status) { done.set_value(std::move(status)); });
  Status status = done.get_future().get();
  front_end_.RefreshModels();
  return status;
}

Status InProcessControl::RegisterRepository(const std::string& path,
                                            const std::map<std::string, std::string>& mapping) {
  std::vector<repository::NameMapping> names;
  for (const auto& [model, directory] : mapping) {
    names.push_back({.directory = directory, .model = model});
  }
  return models_.RegisterRepository(path, names);
}

Status InProcessControl::UnregisterRepository(const std::string& path) {
  return models_.UnregisterRepository(path);
}

Status InProcessControl::Poll() { return models_.PollOnce(/*settled=*/true); }

}  // namespace headrace::server
