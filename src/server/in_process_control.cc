#include "server/in_process_control.h"

#include <future>
#include <utility>

#include "frontend/documents.h"

namespace headrace::server {

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
  return frontend::ModelMetadataJson(*registry_.Load(), name, version);
}

Result<std::string> InProcessControl::StatisticsJson(const std::string& name,
                                                     std::optional<std::int64_t> version) const {
  return name.empty() ? frontend::AllStatisticsJson(*registry_.Load())
                      : frontend::ModelStatisticsJson(*registry_.Load(), name, version);
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

Status InProcessControl::Poll() { return models_.PollOnce(/*settled=*/true); }

}  // namespace headrace::server
