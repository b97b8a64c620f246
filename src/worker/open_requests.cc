#include "worker/open_requests.h"

#include <utility>

namespace headrace::worker {

OpenRequests::Entry* OpenRequests::Find(std::uint64_t key) {
  const std::uint64_t slot = key % kCountMax;
  return slot < entries_.size() && key != 0 && entries_[slot].key == key ? &entries_[slot]
                                                                         : nullptr;
}

std::unique_ptr<engine::InferRequest> OpenRequests::Close(Entry& entry) {
  const auto slot = static_cast<std::uint32_t>(entry.key % kCountMax);
  if (entry.cancelled) {
    region_.SetCancelled(slot, false);
  }
  entry.key = 0;
  entry.executing = entry.used = entry.cancelled = entry.answered = false;
  free_slots_.push_back(slot);
  --count_;
  return std::move(entry.request);
}

void OpenRequests::OpenBatch(std::span<std::unique_ptr<engine::InferRequest>> requests,
                             std::vector<Opened>& opened) {
  std::lock_guard lock(mutex_);
  for (std::unique_ptr<engine::InferRequest>& request : requests) {
    if (free_slots_.empty()) {
      if (entries_.size() == kCountMax) {
        return;
      }
      free_slots_.push_back(static_cast<std::uint32_t>(entries_.size()));
      entries_.emplace_back();
    }
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    Entry& entry = entries_[slot];
    entry.key = ++last_number_ * kCountMax + slot;
    entry.request = std::move(request);
    entry.executing = true;
    ++count_;
    opened.push_back({.key = entry.key, .cancel_slot = slot, .request = entry.request.get()});
  }
}

std::unique_ptr<engine::InferRequest> OpenRequests::TakeExecuting(std::uint64_t key) {
  std::unique_lock lock(mutex_);
  Entry* entry = Find(key);
  while (entry != nullptr && entry->used) {
    unused_.wait(lock);
    entry = Find(key);
  }
  return entry == nullptr || !entry->executing ? nullptr : Close(*entry);
}

void OpenRequests::SettleBatch(std::span<const Opened> batch) {
  std::lock_guard lock(mutex_);
  for (const Opened& opened : batch) {
    if (Entry* const entry = Find(opened.key)) {
      entry->executing = false;
    }
  }
}

std::vector<std::unique_ptr<engine::InferRequest>> OpenRequests::TakeBatch(
    std::span<const Opened> batch) {
  std::vector<std::unique_ptr<engine::InferRequest>> taken;
  std::unique_lock lock(mutex_);
  for (const Opened& opened : batch) {
    unused_.wait(lock, [&] {
      const Entry* const entry = Find(opened.key);
      return entry == nullptr || !entry->used;
    });
    if (Entry* const entry = Find(opened.key)) {
      taken.push_back(Close(*entry));
    }
  }
  return taken;
}

std::vector<std::unique_ptr<engine::InferRequest>> OpenRequests::TakeLate() {
  std::vector<std::unique_ptr<engine::InferRequest>> taken;
  std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.key != 0 && !entry.executing && !entry.used) {
      taken.push_back(Close(entry));
    }
  }
  return taken;
}

std::optional<OpenRequests::Used> OpenRequests::Use(std::uint64_t key) {
  std::lock_guard lock(mutex_);
  Entry* const entry = Find(key);
  if (entry == nullptr || entry->used) {
    return std::nullopt;
  }
  entry->used = true;
  return Used{.request = entry->request.get(), .answered = entry->answered};
}

void OpenRequests::Keep(std::uint64_t key) {
  std::lock_guard lock(mutex_);
  if (Entry* const entry = Find(key)) {
    entry->used = false;
    entry->answered = true;
    unused_.notify_all();
  }
}

std::unique_ptr<engine::InferRequest> OpenRequests::Remove(std::uint64_t key) {
  std::lock_guard lock(mutex_);
  Entry* const entry = Find(key);
  std::unique_ptr<engine::InferRequest> request = entry == nullptr ? nullptr : Close(*entry);
  unused_.notify_all();
  return request;
}

bool OpenRequests::WasOpened(std::uint64_t key) const {
  std::lock_guard lock(mutex_);
  return key / kCountMax != 0 && key / kCountMax <= last_number_ &&
         key % kCountMax < entries_.size();
}

std::shared_ptr<engine::RequestTrace> OpenRequests::TraceOf(std::uint64_t key) const {
  std::lock_guard lock(mutex_);
  const std::uint64_t slot = key % kCountMax;
  const bool open = slot < entries_.size() && key != 0 && entries_[slot].key == key;
  return open ? entries_[slot].request->trace : nullptr;
}

void OpenRequests::ShowCancelled() {
  std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.key != 0 && !entry.used && !entry.cancelled && entry.request->Cancelled()) {
      entry.cancelled = true;
      region_.SetCancelled(static_cast<std::uint32_t>(entry.key % kCountMax), true);
    }
  }
}

std::size_t OpenRequests::count() const {
  std::lock_guard lock(mutex_);
  return count_;
}

}  // namespace headrace::worker
