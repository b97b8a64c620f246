#include "engine/client_rounds.h"

#include <algorithm>

#include "base/check.h"

namespace headrace::engine {
namespace {

// Below it nobody looks for clients to forget, and the table's memory is kept.
constexpr std::size_t kRememberedMin = 64;

}  // namespace

std::uint64_t ClientRounds::Next(std::uint64_t client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? current_ : std::max(current_, found->second.round);
}

std::uint64_t ClientRounds::Enter(std::uint64_t client, std::int64_t size) {
  Client& entry = clients_[client];
  if (entry.round < current_) {
    entry.round = current_;
    entry.used = 0;
  }
  const std::uint64_t round = entry.round;
  entry.used += size;
  entry.round += static_cast<std::uint64_t>(entry.used / quantum_);
  entry.used %= quantum_;
  if (entry.waiting++ == 0) {
    ++waiting_clients_;
  }
  return round;
}

void ClientRounds::Leave(std::uint64_t client) {
  const auto found = clients_.find(client);
  HEADRACE_CHECK(found != clients_.end() && found->second.waiting > 0);
  if (++left_ >= kRequestsPerRoundMax) {
    Advance(current_ + 1);
  }
  if (--found->second.waiting > 0) {
    return;
  }
  --waiting_clients_;
  // What it has used of the present round still counts.
  if (found->second.round < current_) {
    clients_.erase(found);
  } else {
    ForgetSome();
  }
}

void ClientRounds::ForgetSome() {
  if (!forgettable_ || clients_.size() <= 2 * waiting_clients_ + kRememberedMin) {
    return;
  }
  forgettable_ = false;
  std::erase_if(clients_, [this](const auto& entry) {
    return entry.second.waiting == 0 && entry.second.round < current_;
  });
}

void ClientRounds::Reset() {
  Advance(0);
  waiting_clients_ = 0;
  if (clients_.bucket_count() > 4 * kRememberedMin) {
    clients_ = {};
  } else {
    clients_.clear();
  }
}

}  // namespace headrace::engine
