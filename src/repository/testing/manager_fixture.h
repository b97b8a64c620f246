// A manager over a temporary repository and fake backends.
#ifndef HEADRACE_REPOSITORY_TESTING_MANAGER_FIXTURE_H_
#define HEADRACE_REPOSITORY_TESTING_MANAGER_FIXTURE_H_

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/registry.h"
#include "engine/testing/fake_backend.h"
#include "repository/model_manager.h"
#include "repository/testing/fake_provider.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {

inline constexpr char kConfig[] = R"(
  backend: "fake" max_batch_size: 8 dynamic_batching { }
  input { name: "X" data_type: TYPE_FP32 dims: 1 } output { name: "Y" data_type: TYPE_FP32 dims: 1 })";

class ModelManagerTest : public ::testing::Test {
 protected:
  ModelManagerTest() { options_.repository_paths = {files_.path()}; }

  ModelManager& Start(ControlMode mode, std::vector<std::string> models = {}) {
    options_.control_mode = mode;
    options_.startup_models = std::move(models);
    manager_ = std::make_unique<ModelManager>(options_, provider_, registry_, Clock::Real());
    start_ = manager_->LoadAtStart();
    return *manager_;
  }
  Status Load(const std::string& name, LoadOverride override = {}) {
    std::promise<Status> result;
    manager_->LoadAsync(name, std::move(override),
                        [&](Status s) { result.set_value(std::move(s)); });
    return result.get_future().get();
  }
  Status Unload(const std::string& name, bool unload_dependents = false) {
    std::promise<Status> result;
    manager_->UnloadAsync(name, unload_dependents,
                          [&](Status s) { result.set_value(std::move(s)); });
    return result.get_future().get();
  }
  // "name:version=STATE" for each entry.
  std::vector<std::string> Index(bool ready_only = false) {
    std::vector<std::string> lines;
    for (const IndexEntry& entry : manager_->Index(ready_only)) {
      lines.push_back(entry.name + ":" + entry.version + "=" + entry.state);
    }
    return lines;
  }
  std::string ReasonOf(const std::string& name) {
    for (const IndexEntry& entry : manager_->Index(false)) {
      if (entry.name == name) {
        return entry.reason;
      }
    }
    return "not in the index";
  }
  engine::ModelHandle Find(const std::string& name) {
    auto found = registry_.Load()->Lookup(name, std::nullopt);
    return found.ok() ? *std::move(found) : nullptr;
  }
  Status Infer(const std::string& name) {
    const engine::ModelHandle model = Find(name);
    if (model == nullptr) {
      return NotFound("no model");
    }
    auto answer = std::make_shared<engine::testing::Answer>();
    model->Submit(engine::testing::SmallRequest(model, answer));
    return answer->Wait();
  }
  // Returns once the version says "unloaded": the background has drained it.
  void WaitUntilUnloaded(const std::string& name) {
    while (ReasonOf(name) != "unloaded") {
      std::this_thread::yield();
    }
  }

  TemporaryRepository files_;
  engine::Registry registry_;
  testing_support::FakeProvider provider_;
  ModelManagerOptions options_;
  Status start_;
  std::unique_ptr<ModelManager> manager_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_TESTING_MANAGER_FIXTURE_H_
