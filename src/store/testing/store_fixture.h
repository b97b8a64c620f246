// A model store over fake workers, for the tests of this folder.
#ifndef HEADRACE_STORE_TESTING_STORE_FIXTURE_H_
#define HEADRACE_STORE_TESTING_STORE_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/registry.h"
#include "engine/testing/fake_backend.h"
#include "repository/testing/archive_maker.h"
#include "repository/testing/temporary_repository.h"
#include "store/archive_fetcher.h"
#include "store/model_store.h"

namespace headrace::store {

// The backend of all models: workers that run a function.
class FakeWorkers final : public engine::BackendProvider, public engine::Backend {
 public:
  Result<std::shared_ptr<engine::Backend>> Find(const engine::LoadSpec&) override {
    return std::shared_ptr<engine::Backend>(std::shared_ptr<void>(), this);
  }
  std::vector<Loaded> LoadedBackends() const override { return {}; }
  Result<std::unique_ptr<engine::LoadedModel>> Load(engine::LoadSpec) override {
    return std::unique_ptr<engine::LoadedModel>(std::make_unique<Model>(*this));
  }

  std::atomic<bool> fail{false};  // workers do not start
  std::function<void()> on_start = [] {};
  std::function<void(engine::Batch)> execute = &engine::testing::AnswerAll;
  std::atomic<int> alive{0};

 private:
  class Model final : public engine::LoadedModel {
   public:
    explicit Model(FakeWorkers& workers) : workers_(workers) {}
    void SetFinalConfig(std::string) override {}
    Result<std::unique_ptr<engine::Instance>> CreateInstance(
        const engine::InstancePlacement&) override {
      workers_.on_start();
      if (workers_.fail) {
        return Internal("no module named 'nothing'");
      }
      ++workers_.alive;
      return std::unique_ptr<engine::Instance>(std::make_unique<engine::testing::FakeInstance>(
          [this](engine::Batch batch) { workers_.execute(std::move(batch)); },
          [this] { --workers_.alive; }));
    }

   private:
    FakeWorkers& workers_;
  };
};

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    options_.directory = files_.path("store");
    options_.temporary_directory = files_.path("temporary");
    files_.Directory("store");
    files_.Directory("temporary");
  }

  ModelStore& Start() {
    store_ =
        std::make_unique<ModelStore>(options_, workers_, registry_, pool_, fetcher_, Clock::Real());
    store_->OnChange([this] {
      std::lock_guard lock(mutex_);
      ++changes_;
      changed_.notify_all();
    });
    return *store_;
  }
  void WaitForChanges(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return changes_ >= count; });
  }

  static std::string Manifest(const std::string& name, const std::string& version,
                              const std::string& more = "") {
    return R"({"runtime": "python", "model": {"modelName": ")" + name + R"(", "modelVersion": ")" +
           version + R"(", "handler": "handler.py")" + more + "}}";
  }
  static repository::ZipMaker Archive(const std::string& name, const std::string& version = "1.0",
                                      const std::string& settings = "") {
    repository::ZipMaker zip;
    zip.Add("MAR-INF/MANIFEST.json",
            Manifest(name, version, settings.empty() ? "" : R"(, "configFile": "settings.yaml")"));
    zip.Add("handler.py", "def handle(data, context): return data\n");
    if (!settings.empty()) {
      zip.Add("settings.yaml", settings);
    }
    return zip;
  }
  // store/<file>
  void Put(const std::string& file, const repository::ZipMaker& zip) {
    files_.File("store/" + file, zip.Make());
  }

  static StoreReply Wait(const std::function<void(StoreDone)>& operation) {
    std::promise<StoreReply> promise;
    operation([&promise](StoreReply reply) { promise.set_value(std::move(reply)); });
    return promise.get_future().get();
  }
  StoreReply Register(Registration registration) {
    return Wait(
        [&](StoreDone done) { store_->Register(std::move(registration), std::move(done)); });
  }
  StoreReply Register(std::string url, std::int64_t workers = 0) {
    Registration registration;
    registration.url = std::move(url);
    registration.settings.worker_count_min = registration.settings.worker_count_max = workers;
    return Register(std::move(registration));
  }
  StoreReply Scale(ModelStore::Scaling scaling) {
    return Wait([&](StoreDone done) { store_->Scale(std::move(scaling), std::move(done)); });
  }
  StoreReply Unregister(std::string name, std::string version = "") {
    return Wait([&](StoreDone done) {
      store_->Unregister(std::move(name), std::move(version), std::move(done));
    });
  }
  StoreReply SetDefault(std::string name, std::string version) {
    return Wait([&](StoreDone done) {
      store_->SetDefault(std::move(name), std::move(version), std::move(done));
    });
  }

  // Null unless it serves.
  engine::ModelHandle Find(const std::string& name) const {
    const auto found = registry_.Load()->Lookup(name, std::nullopt);
    return found.ok() ? *found : nullptr;
  }
  std::shared_ptr<engine::testing::Answer> Ask(const std::string& name) const {
    auto answer = std::make_shared<engine::testing::Answer>();
    engine::ModelHandle model = Find(name);
    auto request = std::make_unique<engine::InferRequest>(
        model, std::make_unique<engine::testing::FakeSink>(answer));
    NamedTensor& input = request->inputs.emplace_back();
    input.name = "data";
    input.tensor.dtype = DataType::kUint8;
    input.tensor.shape = Shape({1, 0});
    model->Submit(std::move(request));
    return answer;
  }
  std::vector<std::string> InTemporary() const {
    std::vector<std::string> found;
    for (const auto& root : std::filesystem::directory_iterator(files_.path("temporary"))) {
      for (const auto& entry : std::filesystem::directory_iterator(root)) {
        found.push_back(entry.path().string());
      }
    }
    return found;
  }

  repository::TemporaryRepository files_;
  BlockPool pool_;
  engine::Registry registry_;
  FakeWorkers workers_;
  ModelStoreOptions options_;
  ArchiveFetcher* fetcher_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  int changes_ = 0;  // guarded by mutex_
  std::unique_ptr<ModelStore> store_;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_TESTING_STORE_FIXTURE_H_
