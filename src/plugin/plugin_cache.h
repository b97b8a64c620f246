// A response cache that is a library: `engine::ResponseCache` over the entries that the library
// exports (contracts, Triton 8.4, TRITONCACHE_*).
#ifndef HEADRACE_PLUGIN_PLUGIN_CACHE_H_
#define HEADRACE_PLUGIN_PLUGIN_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/task_threads.h"
#include "engine/response_cache.h"
#include "telemetry/prometheus.h"

struct TRITONCACHE_Cache;

namespace headrace::plugin {

struct PluginCacheOptions {
  std::string name;                             // of the cache: a plain name
  std::string directory;                        // holds <name>/libtritoncache_<name>.so
  std::map<std::string, std::string> settings;  // the library's, as JSON of strings
  std::string host_library_directory;  // of the empty libtritonserver.so; empty: beside the program
  std::size_t thread_count = 4;        // that call the library
  std::size_t waiting_max = 1024;      // calls that wait for them
};

// The library's file, or nothing if there is none of that name.
std::optional<std::string> FindCacheLibrary(const std::string& name, const std::string& directory);

// Thread-safe, as the interface asks of the library. The library stays open for the life of the
// process; its cache is finalised with this.
//
// A failure of the library costs no request its answer: a look-up that fails is a miss, and an
// answer that cannot be inserted is not kept. Both are counted (headrace_cache_failures_total) and
// written to the log, the first ones and then ever fewer.
//
// A library may wait for another machine, so it is called on threads of its own: neither an event
// loop nor an instance waits for it. When too many calls wait for those threads, requests go
// without the cache (headrace_cache_skipped_total).
class PluginCache final : public engine::ResponseCache, public telemetry::MetricSource {
 public:
  // NOT_FOUND with the place searched; UNAVAILABLE with the loader's text; INVALID_ARGUMENT if the
  // name is not plain or an entry is missing; otherwise what the library says of its settings.
  static Result<std::shared_ptr<PluginCache>> Create(const PluginCacheOptions& options);
  ~PluginCache() override;

  // Constant: servers that share a cache find each other's answers.
  std::uint64_t key_seed() const override { return 0; }
  std::optional<engine::InferResponse> Lookup(const engine::CacheKey& key) override;
  void Insert(const engine::CacheKey& key, const engine::InferResponse& response) override;
  TaskThreads* threads() override { return &threads_; }

  void Collect(telemetry::PrometheusWriter& writer) const override;

  struct EntryPoints;  // what the library exports

 private:
  PluginCache(const PluginCacheOptions& options, std::unique_ptr<const EntryPoints> entries,
              TRITONCACHE_Cache* cache);

  void CountFailure(std::atomic<std::uint64_t>& count, const char* what, const Status& status);

  const std::string name_;
  const std::unique_ptr<const EntryPoints> entries_;
  TRITONCACHE_Cache* const cache_;
  std::atomic<std::uint64_t> lookup_failures_ = 0, insert_failures_ = 0;
  TaskThreads threads_;
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_PLUGIN_CACHE_H_
