#include "store/workflows.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/names.h"
#include "store/store_directory.h"
#include "store/workflow_archive.h"

namespace headrace::store {
namespace {

constexpr Nanos kHour = 3600 * kSecond;
constexpr std::size_t kThreadCount = 4;
constexpr std::size_t kWaitingMax = 64;
constexpr std::size_t kShownByteSizeMax = 256;

StoreError NotFound(std::string_view name) {
  return {StoreFault::kWorkflowNotFound,
          fmt::format("Workflow not found: {}", EscapeForLog(name, kShownByteSizeMax))};
}

StoreError Ending() { return {StoreFault::kUnavailable, "The server ends."}; }

StoreError Busy() {
  return {StoreFault::kUnavailable,
          "Too many workflows are being registered or unregistered; try again when they are done"};
}

StoreReply Failed(StoreError error, std::string name = {}) {
  StoreReply reply;
  reply.error = std::move(error);
  reply.name = std::move(name);
  return reply;
}

// Calls `ask` for each of 0..count-1, and waits for all answers.
std::vector<StoreReply> AskAll(std::size_t count,
                               const std::function<void(std::size_t, StoreDone)>& ask) {
  struct Answers {
    std::mutex mutex;
    std::condition_variable all_here;
    std::vector<StoreReply> replies;
    std::size_t missing;
  };
  auto answers = std::make_shared<Answers>();
  answers->replies.resize(count);
  answers->missing = count;
  for (std::size_t i = 0; i < count; ++i) {
    ask(i, [answers, i](StoreReply reply) {
      const std::lock_guard lock(answers->mutex);
      answers->replies[i] = std::move(reply);
      if (--answers->missing == 0) {
        answers->all_here.notify_all();
      }
    });
  }
  std::unique_lock lock(answers->mutex);
  answers->all_here.wait(lock, [&] { return answers->missing == 0; });
  return std::move(answers->replies);
}

class FunctionTask final : public TaskThreads::Task {
 public:
  explicit FunctionTask(std::function<void()> run) : run_(std::move(run)) {}
  void Run() override { run_(); }

 private:
  const std::function<void()> run_;
};

}  // namespace

struct Workflows::Entry {
  // Removes the file that was fetched.
  ~Entry() {
    if (!fetched_file.empty()) {
      std::error_code ignored;
      std::filesystem::remove(fetched_file, ignored);
    }
  }
  WorkflowFacts facts;
  std::shared_ptr<const WorkflowPlan> plan;  // null: it is being registered
  std::shared_ptr<const void> files;         // that its functions run from
  std::string fetched_file;                  // empty: it was in the store already
  bool leaving = false;                      // guarded by Workflows::mutex_
  Gate runs;
};

// Counts a run out when it has its outcome.
class Workflows::GatedReply final : public WorkflowReply {
 public:
  GatedReply(std::unique_ptr<WorkflowReply> reply, EntryPtr entry, Gate& all)
      : reply_(std::move(reply)), entry_(std::move(entry)), all_(all) {}

  bool Cancelled() const override { return reply_->Cancelled(); }
  void Finish(WorkflowOutcome outcome) override {
    reply_->Finish(std::move(outcome));
    entry_->runs.Leave();
    all_.Leave();
  }

 private:
  const std::unique_ptr<WorkflowReply> reply_;
  const EntryPtr entry_;
  Gate& all_;
};

Workflows::Workflows(WorkflowsOptions options, ModelStore& store, const engine::Registry& registry,
                     BlockPool& pool, ArchiveFetcher* fetcher, const Clock& clock)
    : options_(std::move(options)),
      store_(store),
      registry_(registry),
      pool_(pool),
      fetcher_(fetcher),
      clock_(clock),
      unpacked_({.temporary_directory = options_.temporary_directory}),
      deadlines_(clock),
      threads_("workflows", kThreadCount, kWaitingMax) {}

Workflows::~Workflows() {
  while (!Shutdown(kHour)) {
  }
}

Workflows::EntryPtr Workflows::Find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second->plan != nullptr && !found->second->leaving
             ? found->second
             : nullptr;
}

void Workflows::Register(WorkflowRegistration registration, StoreDone done) {
  std::unique_ptr<TaskThreads::Task> task = std::make_unique<FunctionTask>(
      [this, registration = std::move(registration), done] { done(RegisterNow(registration)); });
  if (!threads_.Submit(task)) {
    done(Failed(Busy()));
  }
}

StoreError Workflows::Locate(const WorkflowRegistration& registration, std::string& path,
                             std::string& fetched_file) {
  if (registration.url.empty()) {
    return {StoreFault::kBadRequest, "Parameter url is required."};
  }
  const StoreDirectory directory(options_.directory);
  if (directory.path().empty()) {
    return {StoreFault::kModelNotFound, "Workflow store has not been configured."};
  }
  if (!ArchiveFetcher::IsUrl(registration.url)) {
    StoreDirectory::Found found;
    StoreError error = directory.Find(registration.url, found);
    path = found.path;
    return error;
  }
  if (fetcher_ == nullptr) {
    return {StoreFault::kModelNotFound,
            fmt::format("Given URL {} does not match any allowed URL(s)",
                        EscapeForLog(registration.url, kShownByteSizeMax))};
  }
  if (StoreError error = directory.PlaceFor(registration.url, path); !error.ok()) {
    return error;
  }
  if (StoreError error = fetcher_->Fetch(registration.url, path, registration.s3_sse_kms);
      !error.ok()) {
    return error;
  }
  fetched_file = path;
  return {};
}

StoreError Workflows::Reserve(const EntryPtr& entry) {
  const std::lock_guard lock(mutex_);
  if (ending_) {
    return Ending();
  }
  if (entries_.size() >= options_.workflow_count_max) {
    return {StoreFault::kUnavailable,
            fmt::format("There are {} workflows; no more are taken", entries_.size())};
  }
  if (!entries_.emplace(entry->facts.name, entry).second) {
    return {StoreFault::kConflict,
            fmt::format("Workflow {} is already registered.", entry->facts.name)};
  }
  return {};
}

void Workflows::Forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  entries_.erase(name);
}

StoreReply Workflows::RegisterNow(const WorkflowRegistration& registration) {
  const auto entry = std::make_shared<Entry>();
  entry->facts.url = registration.url;
  std::string path;
  if (StoreError error = Locate(registration, path, entry->fetched_file); !error.ok()) {
    return Failed(std::move(error));
  }
  WorkflowArchive archive;
  if (StoreError error = OpenWorkflowArchive(path, options_.archives, unpacked_, archive);
      !error.ok()) {
    return Failed(std::move(error));
  }
  entry->facts.name = registration.name.empty() ? archive.manifest.name : registration.name;
  if (const Status status = repository::CheckModelName(entry->facts.name); !status.ok()) {
    return Failed({StoreFault::kBadRequest, "workflow_name: " + status.message()});
  }
  entry->facts.defaults = archive.spec.defaults;
  entry->facts.dag = archive.spec.dag_text;
  entry->files = archive.files;
  if (StoreError error = Reserve(entry); !error.ok()) {
    return Failed(std::move(error), entry->facts.name);
  }
  StoreReply reply = RegisterNodes(registration, *entry, archive);
  if (!reply.error.ok()) {
    Forget(entry->facts.name);
    return reply;
  }
  auto plan = std::make_shared<WorkflowPlan>();
  plan->name = entry->facts.name;
  plan->graph = std::move(archive.spec.graph);
  plan->models = entry->facts.models;
  const std::lock_guard lock(mutex_);
  entry->plan = std::move(plan);
  return reply;
}

StoreReply Workflows::RegisterNodes(const WorkflowRegistration& registration, Entry& entry,
                                    const WorkflowArchive& archive) {
  const std::string& name = entry.facts.name;
  for (const WorkflowGraph::Node& node : archive.spec.graph.nodes) {
    entry.facts.models.push_back(name + "__" + node.node.name);
  }
  const std::vector<StoreReply> replies =
      AskAll(archive.spec.graph.nodes.size(), [&](std::size_t i, StoreDone done) {
        const WorkflowNode& node = archive.spec.graph.nodes[i].node;
        Registration model;
        model.name = entry.facts.models[i];
        model.url = node.url;
        model.s3_sse_kms = registration.s3_sse_kms;
        if (node.url.empty()) {
          model.url = entry.facts.url;
          model.folder = archive.directory;
          std::string module = archive.manifest.handler;
          if (module.ends_with(".py")) {
            module.resize(module.size() - 3);
          }
          model.handler = module + ":" + node.name;
        }
        model.settings = {.batch_size = node.settings.batch_size,
                          .batch_delay_ms = node.settings.batch_delay_ms,
                          .worker_count_min = node.settings.worker_count_max,
                          .worker_count_max = node.settings.worker_count_max,
                          .response_timeout_s = registration.response_timeout_s,
                          .startup_timeout_s = registration.startup_timeout_s};
        store_.RegisterNode(std::move(model), name, std::move(done));
      });
  std::string failures;
  std::vector<std::string> registered;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (replies[i].error.ok()) {
      registered.push_back(entry.facts.models[i]);
      continue;
    }
    failures.append(failures.empty() ? "" : ", ");
    failures.append(fmt::format("Workflow Node {} failed to register. Details: {}",
                                entry.facts.models[i], replies[i].error.message));
  }
  if (failures.empty()) {
    StoreReply reply;
    reply.name = name;
    reply.text = fmt::format("Workflow {} has been registered and scaled successfully.", name);
    return reply;
  }
  for (const std::string& fault : UnregisterNodes(registered)) {
    failures.append(", Error while doing rollback of failed workflow. Details: ").append(fault);
  }
  HEADRACE_LOG_ERROR("workflow {} is not registered: {}", name, EscapeForLog(failures, 4096));
  return Failed({StoreFault::kInternal,
                 fmt::format("Workflow {} has failed to register. Failures: [{}]", name, failures)},
                name);
}

std::vector<std::string> Workflows::UnregisterNodes(const std::vector<std::string>& models) {
  std::vector<std::string> faults;
  for (const StoreReply& reply : AskAll(models.size(), [&](std::size_t i, StoreDone done) {
         store_.Unregister(models[i], "", std::move(done));
       })) {
    // Somebody may have unregistered the model by its own name.
    if (!reply.error.ok() && reply.error.fault != StoreFault::kModelNotFound) {
      faults.push_back(reply.error.message);
    }
  }
  return faults;
}

void Workflows::Unregister(std::string name, StoreDone done) {
  EntryPtr entry;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(name);
        found != entries_.end() && found->second->plan != nullptr && !found->second->leaving) {
      entry = found->second;
      entry->leaving = true;
    }
  }
  if (entry == nullptr) {
    done(Failed(NotFound(name), name));
    return;
  }
  std::unique_ptr<TaskThreads::Task> task =
      std::make_unique<FunctionTask>([this, entry, done] { done(UnregisterNow(entry)); });
  if (!threads_.Submit(task)) {
    {
      const std::lock_guard lock(mutex_);
      entry->leaving = false;
    }
    done(Failed(Busy(), name));
  }
}

StoreReply Workflows::UnregisterNow(EntryPtr entry) {
  // Nobody finds it any more, and every run has an end.
  entry->runs.Close();
  while (!entry->runs.WaitUntilEmpty(kHour)) {
  }
  const std::vector<std::string> faults = UnregisterNodes(entry->facts.models);
  Forget(entry->facts.name);
  if (!faults.empty()) {
    return Failed({StoreFault::kInternal,
                   fmt::format("Error while unregistering the workflow {}. Details: {}",
                               entry->facts.name, fmt::join(faults, ", "))},
                  entry->facts.name);
  }
  StoreReply reply;
  reply.name = entry->facts.name;
  reply.text = fmt::format("Workflow \"{}\" unregistered", entry->facts.name);
  return reply;
}

StoreError Workflows::Describe(std::string_view name, WorkflowFacts& facts) const {
  const EntryPtr entry = Find(name);
  if (entry == nullptr) {
    return NotFound(name);
  }
  facts = entry->facts;
  return {};
}

std::vector<WorkflowFacts> Workflows::List() const {
  std::vector<WorkflowFacts> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    if (entry->plan != nullptr && !entry->leaving) {
      all.push_back(entry->facts);
    }
  }
  return all;
}

void Workflows::Run(std::string_view name, WorkflowRequest request,
                    std::unique_ptr<WorkflowReply> reply) {
  const auto refuse = [&](StoreError error) {
    WorkflowOutcome outcome;
    outcome.error = std::move(error);
    reply->Finish(std::move(outcome));
  };
  EntryPtr entry = Find(name);
  if (entry == nullptr) {
    refuse(NotFound(name));
    return;
  }
  if (!runs_.TryEnter()) {
    refuse(Ending());
    return;
  }
  if (!entry->runs.TryEnter()) {
    runs_.Leave();
    refuse(NotFound(name));
    return;
  }
  const std::shared_ptr<const WorkflowPlan> plan = entry->plan;
  WorkflowRun::Start(plan, {registry_, pool_, deadlines_, clock_}, std::move(request),
                     std::make_unique<GatedReply>(std::move(reply), std::move(entry), runs_));
}

bool Workflows::Shutdown(Nanos timeout) {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  runs_.Close();
  return runs_.WaitUntilEmpty(timeout);
}

}  // namespace headrace::store
