// What each event loop keeps for itself between requests.
#ifndef HEADRACE_FRONTEND_LOOP_CONTEXTS_H_
#define HEADRACE_FRONTEND_LOOP_CONTEXTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "base/snapshot.h"
#include "engine/registry.h"
#include "net/event_loop.h"
#include "protocol/v2_json.h"

namespace headrace::frontend {

// Belongs to one loop's thread.
struct LoopContext {
  LoopContext(net::EventLoop& owner, const engine::Registry& registry)
      : loop(owner), models(registry.snapshots()) {}

  net::EventLoop& loop;
  Snapshot<engine::RegistrySnapshot>::Reader models;  // the loop's own copy: no lock per request
  protocol::V2JsonParser parser;
};

// One context per loop, made at its first request. Thread-safe; finding one is a look at a few
// pointers.
class LoopContexts {
 public:
  static constexpr std::size_t kLoopCountMax = 256;

  explicit LoopContexts(const engine::Registry& registry) : registry_(registry) {}

  // On the loop's thread.
  LoopContext& Of(net::EventLoop& loop);

  // Has every loop look at the registry anew, so that an idle one does not pin a model that was
  // unloaded. Any thread; the loops must still exist.
  void RefreshAll();

 private:
  const engine::Registry& registry_;
  std::mutex mutex_;  // guards owned_
  std::vector<std::unique_ptr<LoopContext>> owned_;
  std::array<std::atomic<LoopContext*>, kLoopCountMax> published_{};  // filled from the front
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_LOOP_CONTEXTS_H_
