#include "store/model_store.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"
#include "store/model_facts.h"
#include "store/model_store_impl.h"

namespace headrace::store {
namespace {

constexpr char kAllVersions[] = "all";
// Each worker has its own limit, which is far below.
constexpr Nanos kStartTimeMax = 24 * 3600 * kSecond;

repository::VersionLoader::Parts LoaderParts(const ModelStoreOptions& options,
                                             engine::BackendProvider& backends,
                                             engine::Registry& registry, BlockPool& pool) {
  return {.backends = backends,
          .registry = registry,
          .find_part = [](const std::string&, std::int64_t) { return engine::ModelHandle(); },
          .pool = pool,
          .cache = nullptr,
          .limiter = nullptr,
          .cpu = options.cpu};
}

}  // namespace

StoreReply Failed(StoreError error, std::string name, std::string version) {
  StoreReply reply;
  reply.error = std::move(error);
  reply.name = std::move(name);
  reply.version = std::move(version);
  return reply;
}

std::string Label(const VersionRecord& version) {
  return fmt::format("model '{}' version {}", version.name, version.version);
}

StoreError WorkersFailed(const VersionRecord& version) {
  return {StoreFault::kInternal, fmt::format("Failed to start workers for model {} version: {}",
                                             version.name, version.version)};
}

ModelStore::Impl::Impl(ModelStoreOptions options, engine::BackendProvider& backends,
                       engine::Registry& registry, BlockPool& pool, ArchiveFetcher* fetcher,
                       const Clock& clock)
    : options_(std::move(options)),
      directory_(options_.directory),
      registry_(registry),
      unpacked_({.temporary_directory = options_.temporary_directory}),
      placer_(options_.worker_id_first),
      preparer_(options_, directory_, fetcher, unpacked_),
      board_(registry, options_.unregister_timeout_s * kSecond),
      loader_({.queue_limits = options_.queue_limits,
               .links_may_leave = true,  // a folder is served where it lies
               .placer = options_.placer,
               .thread_counts = options_.thread_counts},
              LoaderParts(options_, backends, registry, pool), clock),
      pool_(std::make_unique<repository::WorkerPool>("store", options_.thread_count)),
      executor_(*pool_) {}

ModelStore::Impl::~Impl() {
  (void)Shutdown(options_.unregister_timeout_s * kSecond);
  pool_.reset();
}

void ModelStore::Impl::Submit(const std::string& key, const StoreDone& done,
                              repository::SerialExecutor::Operation operation) {
  if (stopping_ || !executor_.Submit(key, std::move(operation))) {
    done(Failed({StoreFault::kUnavailable, "The server is shutting down."}));
  }
}

void ModelStore::Impl::Changed() const {
  if (listener_ != nullptr) {
    listener_();
  }
}

void ModelStore::Impl::LoadAtStart(const std::vector<StartModel>& models) {
  // Registered one after the other, so that their order decides what is the default; their workers
  // start side by side.
  for (const StartModel& model : models) {
    Registration registration = model.registration;
    registration.at_start = true;
    registration.synchronous = false;
    std::promise<StoreReply> registered;
    Register(std::move(registration), {},
             [&registered](StoreReply reply) { registered.set_value(std::move(reply)); });
    const StoreReply reply = registered.get_future().get();
    if (!reply.error.ok()) {
      HEADRACE_LOG_WARNING("Failed to load model: {}: {}", EscapeForLog(model.registration.url),
                           reply.error.message);
    }
    std::int64_t number = 0;
    if (!reply.name.empty() && !model.default_version.empty() &&
        catalog_.SetDefault(reply.name, model.default_version, number).ok()) {
      registry_.SetDefaultVersion(reply.name, number);
    }
  }
  (void)executor_.WaitUntilIdle(kStartTimeMax);
}

bool ModelStore::Impl::Shutdown(Nanos timeout) {
  stopping_ = true;
  executor_.Close();
  const Nanos start = Clock::Real().Now();
  const bool idle = executor_.WaitUntilIdle(timeout);
  for (const VersionPtr& version : catalog_.Clear()) {
    // What was fetched goes with it, unless it is to be served again: a snapshot names it.
    board_.Remove(version->name, version->number, [](bool) {});
  }
  return board_.WaitUntilDrained(start + timeout) && idle;
}

ModelStore::ModelStore(ModelStoreOptions options, engine::BackendProvider& backends,
                       engine::Registry& registry, BlockPool& pool, ArchiveFetcher* fetcher,
                       const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), backends, registry, pool, fetcher, clock)) {}
ModelStore::~ModelStore() = default;

void ModelStore::LoadAtStart(const std::vector<StartModel>& models) { impl_->LoadAtStart(models); }
Result<std::vector<std::string>> ModelStore::ArchivesInStore() const {
  return impl_->directory().Archives();
}
void ModelStore::Register(Registration registration, StoreDone done) {
  impl_->Register(std::move(registration), {}, std::move(done));
}
void ModelStore::RegisterNode(Registration registration, std::string workflow, StoreDone done) {
  impl_->Register(std::move(registration), std::move(workflow), std::move(done));
}
void ModelStore::Scale(Scaling scaling, StoreDone done) {
  impl_->Scale(std::move(scaling), std::move(done));
}
void ModelStore::Resize(std::string name, std::string version, std::int64_t worker_count,
                        StoreDone done, std::string reason) {
  impl_->Resize(std::move(name), std::move(version), worker_count, std::move(done),
                std::move(reason));
}
void ModelStore::Unregister(std::string name, std::string version, StoreDone done) {
  impl_->Unregister(std::move(name), std::move(version), std::move(done));
}
void ModelStore::SetDefault(std::string name, std::string version, StoreDone done) {
  impl_->SetDefault(std::move(name), std::move(version), std::move(done));
}

ModelStore::Described ModelStore::Describe(std::string_view name, std::string_view version) const {
  Described described;
  std::vector<Catalog::Entry> entries;
  if (version == kAllVersions) {
    described.error = impl_->catalog().FindAll(name, entries);
  } else {
    described.error = impl_->catalog().Find(name, version, entries.emplace_back());
  }
  for (std::size_t i = 0; described.error.ok() && i < entries.size(); ++i) {
    described.models.push_back(FactsOf(entries[i], impl_->Find(*entries[i].version)));
  }
  return described;
}

std::vector<ModelFacts> ModelStore::List() const {
  std::vector<ModelFacts> models;
  for (const Catalog::Entry& entry : impl_->catalog().Defaults()) {
    models.push_back(FactsOf(entry, impl_->Find(*entry.version)));
  }
  return models;
}

std::vector<ModelStore::ScalableVersion> ModelStore::ScalableVersions() const {
  std::vector<ScalableVersion> versions;
  for (const Catalog::Entry& model : impl_->catalog().Defaults()) {
    std::vector<Catalog::Entry> entries;
    if (!impl_->catalog().FindAll(model.version->name, entries).ok()) {
      continue;
    }
    for (const Catalog::Entry& entry : entries) {
      if (engine::ModelHandle handle = impl_->Find(*entry.version)) {
        versions.push_back({.name = entry.version->name,
                            .version = entry.version->version,
                            .worker_count = static_cast<std::int64_t>(entry.state.workers.size()),
                            .worker_count_min = entry.state.worker_count_min,
                            .worker_count_max = entry.state.worker_count_max,
                            .batch_size = entry.version->settings.batch_size,
                            .model = std::move(handle)});
      }
    }
  }
  return versions;
}

bool ModelStore::Healthy() const {
  const std::vector<Catalog::Entry> entries = impl_->catalog().Defaults();
  return std::all_of(entries.begin(), entries.end(), [&](const Catalog::Entry& entry) {
    return IsHealthy(entry, impl_->Find(*entry.version).get());
  });
}

void ModelStore::OnChange(std::function<void()> listener) { impl_->OnChange(std::move(listener)); }
bool ModelStore::Shutdown(Nanos timeout) { return impl_->Shutdown(timeout); }
const ModelStoreOptions& ModelStore::options() const { return impl_->options(); }

}  // namespace headrace::store
