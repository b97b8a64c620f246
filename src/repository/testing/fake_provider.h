// A provider with one backend, whose models are engine::testing fakes and that fails when it is
// told to.
#ifndef HEADRACE_REPOSITORY_TESTING_FAKE_PROVIDER_H_
#define HEADRACE_REPOSITORY_TESTING_FAKE_PROVIDER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend.h"
#include "engine/testing/fake_backend.h"

namespace headrace::repository::testing_support {

// The settings are changed only while nothing loads, except the atomic ones.
class FakeProvider final : public engine::BackendProvider, public engine::Backend {
 public:
  Result<std::shared_ptr<engine::Backend>> Find(const engine::LoadSpec& spec) override {
    if (spec.backend != "fake") {
      return InvalidArgument("unable to find backend library for backend '{}'", spec.backend);
    }
    return std::shared_ptr<engine::Backend>(std::shared_ptr<void>(), this);
  }
  std::vector<Loaded> LoadedBackends() const override { return {}; }

  Result<std::unique_ptr<engine::LoadedModel>> Load(engine::LoadSpec spec) override {
    {
      std::lock_guard lock(mutex_);
      loaded_.push_back(spec.model_name);
    }
    if (on_load) {
      on_load();
    }
    if (throwing.count(spec.model_name) > 0) {
      throw std::runtime_error("thrown by the backend");
    }
    if (fail.count(spec.model_name) > 0 || spec.version == fail_version || TakeFailure()) {
      return Internal("the model is broken");
    }
    if (!proposal.empty()) {
      HEADRACE_ASSIGN_OR_RETURN(const std::string accepted, spec.complete_config(proposal));
    }
    ++alive;
    return std::unique_ptr<engine::LoadedModel>(std::make_unique<Model>(*this));
  }

  // The models whose loads have begun, in their order.
  std::vector<std::string> TakeLoaded() {
    std::lock_guard lock(mutex_);
    return std::exchange(loaded_, {});
  }
  // What SetFinalConfig last said.
  std::string last_final_config() const {
    std::lock_guard lock(mutex_);
    return final_config_;
  }

  std::set<std::string> fail;        // models that never load
  std::set<std::string> throwing;    // models whose load throws
  std::int64_t fail_version = 0;     // a version that never loads
  int instance_count_max = 1 << 20;  // of a model
  std::atomic<int> fail_times{0};    // this many of the next loads fail
  std::string proposal;              // passed to complete_config unless empty
  std::function<void()> on_load;     // called at the begin of each load
  std::function<void(engine::Batch)> execute = &engine::testing::AnswerAll;
  std::atomic<int> alive{0};  // models in memory

 private:
  class Model final : public engine::LoadedModel {
   public:
    explicit Model(FakeProvider& provider) : provider_(provider) {}
    ~Model() override { --provider_.alive; }
    void SetFinalConfig(std::string config_json) override {
      std::lock_guard lock(provider_.mutex_);
      provider_.final_config_ = std::move(config_json);
    }
    Result<std::unique_ptr<engine::Instance>> CreateInstance(
        const engine::InstancePlacement&) override {
      if (instance_count_ >= provider_.instance_count_max) {
        return Internal("too many instances");
      }
      ++instance_count_;
      return std::unique_ptr<engine::Instance>(std::make_unique<engine::testing::FakeInstance>(
          provider_.execute, [this] { --instance_count_; }));
    }

   private:
    FakeProvider& provider_;
    std::atomic<int> instance_count_{0};
  };

  bool TakeFailure() {
    int left = fail_times;
    while (left > 0) {
      if (fail_times.compare_exchange_weak(left, left - 1)) {
        return true;
      }
    }
    return false;
  }

  mutable std::mutex mutex_;
  std::string final_config_;         // guarded by mutex_
  std::vector<std::string> loaded_;  // guarded by mutex_
};

}  // namespace headrace::repository::testing_support

#endif  // HEADRACE_REPOSITORY_TESTING_FAKE_PROVIDER_H_
