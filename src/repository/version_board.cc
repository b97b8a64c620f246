#include "repository/version_board.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "base/free_memory.h"
#include "base/log.h"
#include "base/thread.h"

namespace headrace::repository {
namespace {

using engine::ModelState;
using engine::VersionEntry;

// Drains wait most of the time; a few may be stuck without holding up the others.
constexpr std::size_t kDrainThreadCount = 4;
// Below what the arithmetic of condition variables bears.
constexpr Nanos kWaitMax = 86'400 * kSecond;

// How long a withdrawn version still takes requests that found it before, so that a reload refuses
// none: a front end looks a model up before it has read the request's body. Ends early when nobody
// but us holds the version.
constexpr Nanos kLateEntryMax = kSecond;
constexpr Nanos kLateEntryLookInterval = 2 * kMillisecond;

}  // namespace

VersionBoard::VersionBoard(engine::Registry& registry, Nanos unload_timeout)
    : registry_(registry),
      unload_timeout_(unload_timeout),
      publisher_([this] { RunPublisher(); }),
      pool_("unload", kDrainThreadCount) {}

VersionBoard::~VersionBoard() {
  SetBatching(false);
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  pending_added_.notify_all();
  publisher_.join();
}

VersionEntry VersionBoard::Current(const std::string& name, std::int64_t version) const {
  std::lock_guard lock(mutex_);
  if (const auto pending = pending_.find(Key(name, version)); pending != pending_.end()) {
    return pending->second;
  }
  const auto snapshot = registry_.Load();
  const engine::ModelEntry* model = snapshot->Find(name);
  if (model == nullptr) {
    return {};
  }
  const auto found = model->versions.find(version);
  return found == model->versions.end() ? VersionEntry() : found->second;
}

void VersionBoard::Set(const std::string& name, std::int64_t version, VersionEntry entry) {
  std::lock_guard lock(mutex_);
  SetLocked(Key(name, version), std::move(entry));
}

std::uint64_t VersionBoard::SetLocked(const Key& key, VersionEntry entry) {
  if (batching_) {
    pending_[key] = std::move(entry);
    pending_added_.notify_one();
  } else {
    registry_.SetVersion(key.first, key.second, std::move(entry));
  }
  return changes_[key] = ++change_count_;
}

void VersionBoard::SetBatching(bool batching) {
  std::lock_guard lock(mutex_);
  batching_ = batching;
  PublishPendingLocked();
}

void VersionBoard::PublishPendingLocked() {
  if (pending_.empty()) {
    return;
  }
  std::vector<engine::Registry::VersionChange> changes;
  changes.reserve(pending_.size());
  for (auto& [key, entry] : pending_) {
    changes.push_back({key.first, key.second, std::move(entry)});
  }
  pending_.clear();
  registry_.SetVersions(std::move(changes));
}

void VersionBoard::RunPublisher() {
  SetThreadName("registry");
  std::unique_lock lock(mutex_);
  while (true) {
    pending_added_.wait(lock, [this] { return !pending_.empty() || stopping_; });
    if (stopping_) {
      return;
    }
    const Nanos start = Clock::Real().Now();
    PublishPendingLocked();
    // At most a twentieth of the time goes into copies, however many models there are.
    const Nanos pause =
        std::clamp<Nanos>(20 * (Clock::Real().Now() - start), kMillisecond, kSecond);
    pending_added_.wait_for(lock, std::chrono::nanoseconds(pause), [this] { return stopping_; });
  }
}

void VersionBoard::MarkLoading(const std::string& name, std::int64_t version) {
  if (Current(name, version).state != ModelState::kReady) {
    Set(name, version, VersionEntry{ModelState::kLoading, "", nullptr});
  }
}

void VersionBoard::MarkFailed(const std::string& name, std::int64_t version,
                              const std::string& reason) {
  if (Current(name, version).state != ModelState::kReady) {
    Set(name, version, VersionEntry{ModelState::kUnavailable, reason, nullptr});
  }
}

void VersionBoard::Publish(const std::string& name, std::int64_t version,
                           engine::ModelHandle model) {
  engine::ModelHandle replaced = Current(name, version).model;
  Set(name, version, VersionEntry{ModelState::kReady, "", std::move(model)});
  if (replaced != nullptr) {
    End({Key(name, version), 0, ""}, std::move(replaced));
  }
}

void VersionBoard::Withdraw(const std::string& name, std::int64_t version,
                            const std::string& reason) {
  {
    std::lock_guard lock(mutex_);
    if (changes_.count(Key(name, version)) == 0) {
      return;  // somebody else's
    }
  }
  VersionEntry entry = Current(name, version);
  if (entry.state == ModelState::kUnavailable) {
    Set(name, version, VersionEntry{ModelState::kUnavailable, reason, nullptr});
  }
  if (entry.state != ModelState::kReady) {
    return;
  }
  std::uint64_t change = 0;
  {
    std::lock_guard lock(mutex_);
    // What was not asked for stays wanted: see engine/model_aliases.h.
    change = SetLocked(Key(name, version),
                       VersionEntry{ModelState::kUnloading,
                                    reason == engine::kUnloadedReason ? "" : reason, nullptr});
  }
  End({Key(name, version), change, reason}, std::move(entry.model));
}

void VersionBoard::Remove(const std::string& name, std::int64_t version,
                          std::function<void(bool)> gone) {
  VersionEntry entry = Current(name, version);
  if (entry.state != ModelState::kReady) {
    Forget(Key(name, version), 0);
    gone(true);
    return;
  }
  std::uint64_t change = 0;
  {
    std::lock_guard lock(mutex_);
    change =
        SetLocked(Key(name, version), VersionEntry{ModelState::kUnloading, std::string(), nullptr});
  }
  End({Key(name, version), change, std::string(engine::kUnloadedReason), std::move(gone)},
      std::move(entry.model));
}

void VersionBoard::Forget(const Key& key, std::uint64_t change) {
  std::lock_guard lock(mutex_);
  if (change != 0 && changes_[key] != change) {
    return;
  }
  PublishPendingLocked();
  changes_.erase(key);
  registry_.RemoveVersion(key.first, key.second);
  const auto snapshot = registry_.Load();
  if (const engine::ModelEntry* model = snapshot->Find(key.first);
      model != nullptr && model->versions.empty()) {
    registry_.RemoveModel(key.first);
  }
}

void VersionBoard::WithdrawAll() {
  const auto snapshot = registry_.Load();
  for (const auto& [name, model] : snapshot->models()) {
    for (const auto& [version, entry] : model->versions) {
      Withdraw(name, version);
    }
  }
}

bool VersionBoard::BelongsToOthers(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto snapshot = registry_.Load();
  const engine::ModelEntry* model = snapshot->Find(name);
  return model != nullptr &&
         std::any_of(model->versions.begin(), model->versions.end(), [&](const auto& version) {
           return changes_.count(Key(name, version.first)) == 0 &&
                  !engine::WasUnloaded(version.second);
         });
}

std::vector<std::int64_t> VersionBoard::KnownVersions(const std::string& name) const {
  std::set<std::int64_t> versions;
  std::lock_guard lock(mutex_);
  for (auto it = pending_.lower_bound(Key(name, 0));
       it != pending_.end() && it->first.first == name; ++it) {
    versions.insert(it->first.second);
  }
  const auto snapshot = registry_.Load();
  if (const engine::ModelEntry* model = snapshot->Find(name); model != nullptr) {
    for (const auto& [version, entry] : model->versions) {
      versions.insert(version);
    }
  }
  return {versions.begin(), versions.end()};
}

std::vector<std::int64_t> VersionBoard::ReadyVersions(const std::string& name) const {
  std::vector<std::int64_t> versions = KnownVersions(name);
  std::erase_if(versions, [&](std::int64_t version) {
    return Current(name, version).state != ModelState::kReady;
  });
  return versions;
}

engine::ModelHandle VersionBoard::Find(const std::string& name, std::int64_t version) const {
  return Current(name, version).model;
}

void VersionBoard::End(Ending ending, engine::ModelHandle model) {
  {
    std::lock_guard lock(mutex_);
    ++ending_;
  }
  pool_.Post([this, ending = std::move(ending), handle = std::move(model)]() mutable {
    Drain(ending, std::move(handle));
  });
}

void VersionBoard::WaitForLateEntries(const engine::ModelHandle& model) {
  const Nanos end = Clock::Real().Now() + kLateEntryMax;
  std::unique_lock lock(mutex_);
  while (model.use_count() > 1 && deadline_ == kNever && Clock::Real().Now() < end) {
    hurry_.wait_for(lock, std::chrono::nanoseconds(kLateEntryLookInterval));
  }
}

void VersionBoard::Drain(const Ending& ending, engine::ModelHandle model) {
  const auto& [name, version] = ending.key;
  WaitForLateEntries(model);
  Nanos timeout = unload_timeout_;
  {
    std::lock_guard lock(mutex_);
    if (deadline_ != kNever) {
      timeout = std::clamp<Nanos>(deadline_ - Clock::Real().Now(), 0, timeout);
    }
  }
  const bool drained = model->Drain(timeout);
  if (!drained) {
    HEADRACE_LOG_WARNING("model '{}' version {} still had requests when its time to unload ran out",
                         name, version);
    {
      std::lock_guard lock(mutex_);
      all_drained_in_time_ = false;
    }
    if (ending.gone) {
      ending.gone(false);  // what still runs may take its time
    }
  }
  // Waits here for what is still running, if nobody else holds the version.
  model.reset();
  const bool hurried = [this] {
    std::lock_guard lock(mutex_);
    return deadline_ != kNever;
  }();
  if (!hurried) {
    ReleaseFreeMemory();  // before anybody hears that the version has gone
  }
  if (ending.gone) {
    Forget(ending.key, ending.change);
    HEADRACE_LOG_INFO("successfully unloaded '{}' version {}", name, version);
    if (drained) {
      ending.gone(true);
    }
    std::lock_guard lock(mutex_);
    --ending_;
    drained_.notify_all();
    return;
  }
  std::lock_guard lock(mutex_);
  if (ending.change != 0 && changes_[ending.key] == ending.change) {
    SetLocked(ending.key, VersionEntry{ModelState::kUnavailable, ending.reason, nullptr});
    HEADRACE_LOG_INFO("successfully unloaded '{}' version {}", name, version);
  }
  --ending_;
  drained_.notify_all();
}

bool VersionBoard::WaitUntilDrained(Nanos deadline) {
  std::unique_lock lock(mutex_);
  deadline_ = deadline;
  hurry_.notify_all();
  all_drained_in_time_ = true;
  const Nanos wait = std::clamp<Nanos>(deadline - Clock::Real().Now(), 0, kWaitMax);
  const bool idle =
      drained_.wait_for(lock, std::chrono::nanoseconds(wait), [this] { return ending_ == 0; });
  return idle && all_drained_in_time_;
}

}  // namespace headrace::repository
