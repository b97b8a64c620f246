// What the C interface sees of the server: its models, documents and metrics.
#ifndef HEADRACE_SERVER_IN_PROCESS_CONTROL_H_
#define HEADRACE_SERVER_IN_PROCESS_CONTROL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "engine/registry.h"
#include "frontend/front_end.h"
#include "plugin/server_control.h"
#include "repository/model_manager.h"

namespace headrace::server {

// Thread-safe.
class InProcessControl final : public plugin::ServerControl {
 public:
  // All borrowed, except the options' copies.
  InProcessControl(frontend::FrontEndOptions options, const engine::Registry& registry,
                   repository::ModelManager& models, frontend::FrontEnd& front_end);

  const engine::Registry& registry() const override { return registry_; }
  bool Ready() const override;
  std::string MetadataJson() const override;
  Result<std::string> ModelMetadataJson(const std::string& name,
                                        std::optional<std::int64_t> version) const override;
  Result<std::string> StatisticsJson(const std::string& name,
                                     std::optional<std::int64_t> version) const override;
  std::string IndexJson(bool ready_only) const override;
  std::string MetricsPage() const override;
  // A model that loads another as it initialises holds one of the load threads meanwhile: with
  // --model-load-thread-count=1 it would wait for itself.
  Status Load(const std::string& name, std::string config_json,
              std::map<std::string, std::string> files) override;
  Status Unload(const std::string& name, bool unload_dependents) override;
  Status Poll() override;
  Status RegisterRepository(const std::string& path,
                            const std::map<std::string, std::string>& mapping) override;
  Status UnregisterRepository(const std::string& path) override;

 private:
  const frontend::FrontEndOptions options_;
  const engine::Registry& registry_;
  repository::ModelManager& models_;
  frontend::FrontEnd& front_end_;
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_IN_PROCESS_CONTROL_H_
