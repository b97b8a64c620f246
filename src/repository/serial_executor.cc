#include "repository/serial_executor.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace headrace::repository {
namespace {

// Below what the arithmetic of condition variables bears.
constexpr Nanos kWaitMax = 86'400 * kSecond;

}  // namespace

bool SerialExecutor::Submit(const std::string& key, Operation operation) {
  std::vector<std::pair<std::string, Operation>> one;
  one.emplace_back(key, std::move(operation));
  return SubmitAll(std::move(one));
}

bool SerialExecutor::SubmitAll(std::vector<std::pair<std::string, Operation>> operations) {
  std::vector<std::pair<std::string, Operation>> first;  // of their keys: they start now
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      return false;
    }
    for (auto& [key, operation] : operations) {
      const auto [entry, is_first] = waiting_.try_emplace(key);
      if (is_first) {
        first.emplace_back(key, std::move(operation));
      } else {
        entry->second.push_back(std::move(operation));
      }
    }
  }
  for (auto& [key, operation] : first) {
    Start(key, std::move(operation));
  }
  return true;
}

void SerialExecutor::Start(const std::string& key, Operation operation) {
  pool_.Post(
      [this, key, operation = std::move(operation)] { operation([this, key] { Finished(key); }); });
}

void SerialExecutor::Finished(const std::string& key) {
  Operation next;
  {
    std::lock_guard lock(mutex_);
    const auto entry = waiting_.find(key);
    if (entry->second.empty()) {
      waiting_.erase(entry);
      if (waiting_.empty()) {
        idle_.notify_all();
      }
      return;
    }
    next = std::move(entry->second.front());
    entry->second.pop_front();
  }
  Start(key, std::move(next));
}

void SerialExecutor::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

bool SerialExecutor::WaitUntilIdle(Nanos timeout) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, std::chrono::nanoseconds(std::min(timeout, kWaitMax)),
                        [this] { return waiting_.empty(); });
}

}  // namespace headrace::repository
