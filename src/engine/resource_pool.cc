#include "engine/resource_pool.h"

#include <algorithm>

#include "base/check.h"

namespace headrace::engine {

ResourcePool::Needs ResourcePool::NeedsOf(const InstancePlacement& placement) {
  Needs needs;
  const int device = placement.kind == InstanceKind::kGpu ? placement.device_id : kCpu;
  for (const ResourceNeed& need : placement.resources) {
    needs[{need.name, need.global ? kGlobal : device}] += need.count;
  }
  std::erase_if(needs, [](const auto& need) { return need.second == 0; });
  return needs;
}

Result<ResourcePool::Id> ResourcePool::Add(const InstancePlacement& placement) {
  Member member{.needs = NeedsOf(placement),
                .priority = std::max<std::uint64_t>(1, placement.rate_priority),
                .turn = 0};
  std::set<std::pair<std::string, bool>> kinds;  // (resource, is global)
  for (const auto* needs : {&member.needs}) {
    for (const auto& [key, count] : *needs) {
      kinds.emplace(key.first, key.second == kGlobal);
    }
  }
  for (const auto& [id, other] : members_) {
    for (const auto& [key, count] : other.needs) {
      kinds.emplace(key.first, key.second == kGlobal);
    }
  }
  for (const auto& [key, count] : member.needs) {
    if (kinds.count({key.first, true}) > 0 && kinds.count({key.first, false}) > 0) {
      return InvalidArgument(
          "Resource \"{}\" is present as both global and device-specific resource in the model "
          "configuration.",
          key.first);
    }
    const auto limit = ConfiguredLimit(key);
    if (limit && *limit < count) {
      return InvalidArgument(
          "Resource count for \"{}\" is limited to {} which will prevent scheduling of one or more "
          "model instances, the minimum required count is {}",
          key.first, *limit, count);
    }
  }
  const Id id = next_++;
  members_.emplace(id, std::move(member));
  return id;
}

void ResourcePool::Remove(Id id) {
  Forget(id);
  members_.erase(id);
}

void ResourcePool::Expect(Id id) {
  Request(id);
  expected_.insert(id);
}

void ResourcePool::Forget(Id id) {
  if (expected_.erase(id) > 0) {
    const Member& member = members_.at(id);
    waiting_.erase({member.turn, member.arrival});
  }
}

void ResourcePool::Request(Id id) {
  if (expected_.erase(id) > 0) {
    return;  // it has its place already
  }
  Member& member = members_.at(id);
  member.turn = std::max(member.turn, now_);
  member.arrival = ++arrivals_;
  waiting_.emplace(std::pair(member.turn, member.arrival), id);
}

std::vector<ResourcePool::Id> ResourcePool::Grant() {
  std::vector<Id> granted;
  std::set<Key> claimed;  // by those that could not be served
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Member& member = members_.at(it->second);
    const bool behind =
        std::any_of(member.needs.begin(), member.needs.end(),
                    [&](const auto& need) { return claimed.count(need.first) > 0; });
    if (behind || expected_.count(it->second) > 0 || !Fits(member.needs)) {
      for (const auto& [key, count] : member.needs) {
        claimed.insert(key);
      }
      ++it;
      continue;
    }
    for (const auto& [key, count] : member.needs) {
      in_use_[key] += count;
    }
    now_ = std::max(now_, member.turn);
    member.turn += member.priority;
    granted.push_back(it->second);
    it = waiting_.erase(it);
  }
  return granted;
}

void ResourcePool::Release(Id id) {
  for (const auto& [key, count] : members_.at(id).needs) {
    std::uint64_t& used = in_use_.at(key);
    HEADRACE_CHECK(used >= count);
    used -= count;
  }
}

std::optional<std::uint64_t> ResourcePool::ConfiguredLimit(const Key& key) const {
  std::optional<std::uint64_t> everywhere;
  for (const ResourceLimit& limit : limits_) {
    if (limit.name != key.first) {
      continue;
    }
    if (!limit.device) {
      everywhere = limit.count;
    } else if (*limit.device == key.second) {
      return limit.count;
    }
  }
  return everywhere;
}

std::uint64_t ResourcePool::Limit(const Key& key) const {
  if (const auto limit = ConfiguredLimit(key)) {
    return *limit;
  }
  std::uint64_t most = 0;
  for (const auto& [id, member] : members_) {
    const auto need = member.needs.find(key);
    most = std::max(most, need == member.needs.end() ? 0 : need->second);
  }
  return most;
}

bool ResourcePool::Fits(const Needs& needs) const {
  return std::all_of(needs.begin(), needs.end(), [this](const auto& need) {
    const auto used = in_use_.find(need.first);
    const std::uint64_t in_use = used == in_use_.end() ? 0 : used->second;
    // An automatic limit sinks when a needy model goes.
    const std::uint64_t limit = Limit(need.first);
    return in_use <= limit && need.second <= limit - in_use;
  });
}

std::vector<ResourcePool::Figure> ResourcePool::figures() const {
  std::set<Key> keys;
  for (const auto& [id, member] : members_) {
    for (const auto& [key, count] : member.needs) {
      keys.insert(key);
    }
  }
  std::vector<Figure> figures;
  for (const Key& key : keys) {
    const auto used = in_use_.find(key);
    figures.push_back({.name = key.first,
                       .device = key.second == kGlobal ? "global"
                                 : key.second == kCpu  ? "cpu"
                                                       : std::to_string(key.second),
                       .limit = Limit(key),
                       .in_use = used == in_use_.end() ? 0 : used->second});
  }
  return figures;
}

}  // namespace headrace::engine
