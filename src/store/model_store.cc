#include "store/model_store.h"

#include <utility>

namespace headrace::store {

// A skeleton to link with: it has no models, and takes none.
class ModelStore::Impl {
 public:
  explicit Impl(ModelStoreOptions options) : options_(std::move(options)) {}
  const ModelStoreOptions& options() const { return options_; }
  static void Refuse(const StoreDone& done) {
    done({.error = {StoreFault::kUnavailable, "the model store takes no models yet"}});
  }

 private:
  const ModelStoreOptions options_;
};

ModelStore::ModelStore(ModelStoreOptions options, engine::BackendProvider&, engine::Registry&,
                       BlockPool&, ArchiveFetcher*, const Clock&)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
ModelStore::~ModelStore() = default;

void ModelStore::LoadAtStart(const std::vector<StartModel>&) {}
Result<std::vector<std::string>> ModelStore::ArchivesInStore() const {
  return std::vector<std::string>();
}
void ModelStore::Register(Registration, StoreDone done) { Impl::Refuse(done); }
void ModelStore::RegisterNode(Registration, std::string, StoreDone done) { Impl::Refuse(done); }
void ModelStore::Scale(Scaling, StoreDone done) { Impl::Refuse(done); }
void ModelStore::Unregister(std::string, std::string, StoreDone done) { Impl::Refuse(done); }
void ModelStore::SetDefault(std::string, std::string, StoreDone done) { Impl::Refuse(done); }
ModelStore::Described ModelStore::Describe(std::string_view name, std::string_view) const {
  return {.error = {StoreFault::kModelNotFound, "Model not found: " + std::string(name)},
          .models = {}};
}
std::vector<ModelFacts> ModelStore::List() const { return {}; }
bool ModelStore::Healthy() const { return true; }
void ModelStore::OnChange(std::function<void()>) {}
bool ModelStore::Shutdown(Nanos) { return true; }
const ModelStoreOptions& ModelStore::options() const { return impl_->options(); }

}  // namespace headrace::store
