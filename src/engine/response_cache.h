// What keeps answers of models, so that the same question need not be computed again.
#ifndef HEADRACE_ENGINE_RESPONSE_CACHE_H_
#define HEADRACE_ENGINE_RESPONSE_CACHE_H_

#include <cstdint>
#include <optional>

#include "base/task_threads.h"
#include "engine/response_sink.h"

namespace headrace::engine {

// Stands for a question: 128 bits, so that two questions never meet in practice.
struct CacheKey {
  std::uint64_t high = 0, low = 0;
  bool operator==(const CacheKey&) const = default;
};

// Thread-safe. Implemented by LocalResponseCache, and by plugin::PluginCache over a library.
class ResponseCache {
 public:
  virtual ~ResponseCache() = default;

  // Goes into every key (engine/cache_key.h). Random where nobody else reads the cache, so that no
  // client can make two questions of the same key; constant where several servers share it.
  virtual std::uint64_t key_seed() const = 0;
  // The response that was inserted for `key`, if it is still there. Its tensors share the cache's
  // memory, and keep it.
  virtual std::optional<InferResponse> Lookup(const CacheKey& key) = 0;
  // Keeps a copy of the response, if it fits. An entry of the same key is replaced.
  virtual void Insert(const CacheKey& key, const InferResponse& response) = 0;
  // Where Lookup and Insert are called, since they may block; null: wherever, since they do not. As
  // long as the cache lives.
  virtual TaskThreads* threads() { return nullptr; }
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_RESPONSE_CACHE_H_
