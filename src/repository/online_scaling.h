// The models of the repositories that are online, for the autoscaler.
#ifndef HEADRACE_REPOSITORY_ONLINE_SCALING_H_
#define HEADRACE_REPOSITORY_ONLINE_SCALING_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "repository/model_manager.h"
#include "scaling/autoscaler.h"

namespace headrace::repository {

// Thread-safe. Borrows the manager.
class OnlineScaling final : public scaling::Autoscaler::Target {
 public:
  explicit OnlineScaling(ModelManager& models) : models_(models) {}
  std::vector<Version> Versions() const override { return models_.OnlineVersions(); }
  void Resize(const Version& version, std::int64_t worker_count, std::string_view,
              scaling::Autoscaler::Done done) override {
    models_.ResizeAsync(version, worker_count, std::move(done));
  }

 private:
  ModelManager& models_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ONLINE_SCALING_H_
