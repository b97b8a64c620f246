#include "plugin/plugin_cache.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "plugin/cache_handle.h"
#include "plugin/custom_metrics.h"
#include "plugin/library.h"
#include "plugin/library_call.h"
#include "plugin/packed_response.h"
#include "protocol/json_writer.h"
#include "tensor/heap_buffer.h"

namespace headrace::plugin {

struct PluginCache::EntryPoints {
  decltype(&TRITONCACHE_CacheInitialize) initialize = nullptr;
  decltype(&TRITONCACHE_CacheFinalize) finalize = nullptr;
  decltype(&TRITONCACHE_CacheLookup) lookup = nullptr;
  decltype(&TRITONCACHE_CacheInsert) insert = nullptr;
};

namespace {

namespace fs = std::filesystem;

// What an entry may be; a cache that says more is not believed.
constexpr std::size_t kEntryByteSizeMax = std::size_t{1} << 32;

bool IsPlainName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

fs::path LibraryPath(const std::string& name, const std::string& directory) {
  return fs::path(directory) / name / ("libtritoncache_" + name + ".so");
}

template <typename Function>
Status Find(void* library, const std::string& path, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr
             ? OkStatus()
             : InvalidArgument("unable to find required entrypoint '{}' in '{}'", name, path);
}

Result<std::unique_ptr<const PluginCache::EntryPoints>> OpenCacheLibrary(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return Unavailable("unable to load shared library: {}", reason == nullptr ? path : reason);
  }
  auto entries = std::make_unique<PluginCache::EntryPoints>();
  HEADRACE_RETURN_IF_ERROR(
      Find(library, path, "TRITONCACHE_CacheInitialize", &entries->initialize));
  HEADRACE_RETURN_IF_ERROR(Find(library, path, "TRITONCACHE_CacheFinalize", &entries->finalize));
  HEADRACE_RETURN_IF_ERROR(Find(library, path, "TRITONCACHE_CacheLookup", &entries->lookup));
  HEADRACE_RETURN_IF_ERROR(Find(library, path, "TRITONCACHE_CacheInsert", &entries->insert));
  return std::unique_ptr<const PluginCache::EntryPoints>(std::move(entries));
}

std::string SettingsJson(const std::map<std::string, std::string>& settings) {
  std::string json;
  protocol::JsonWriter writer(json);
  writer.BeginObject();
  for (const auto& [key, value] : settings) {
    writer.Key(key).String(value);
  }
  writer.EndObject();
  return json;
}

// The name says whose layout the bytes have: a cache may be shared with other kinds of servers.
std::string KeyText(const engine::CacheKey& key) {
  return fmt::format("headrace1-{:016x}{:016x}", key.high, key.low);
}

// The entry's one buffer.
Result<TRITONCACHE_CacheEntry::Buffer> OneHostBuffer(const TRITONCACHE_CacheEntry& entry) {
  if (entry.buffers.size() != 1) {
    return InvalidArgument("the cache entry has {} buffers, it was inserted with 1",
                           entry.buffers.size());
  }
  const TRITONCACHE_CacheEntry::Buffer& buffer = entry.buffers[0];
  if (buffer.base == nullptr || buffer.attributes.memory_type == TRITONSERVER_MEMORY_GPU) {
    return InvalidArgument("the cache entry's buffer must be in host memory");
  }
  return buffer;
}

class LookupAllocator final : public TRITONCACHE_Allocator {
 public:
  Status Copy(TRITONCACHE_CacheEntry& entry) override {
    HEADRACE_ASSIGN_OR_RETURN(const TRITONCACHE_CacheEntry::Buffer buffer, OneHostBuffer(entry));
    const std::size_t byte_size = buffer.attributes.byte_size;
    if (byte_size > kEntryByteSizeMax) {
      return InvalidArgument("a cache entry of {} bytes is larger than {}", byte_size,
                             kEntryByteSizeMax);
    }
    HEADRACE_ASSIGN_OR_RETURN(MutableBuffer copy, NewHeapBuffer(byte_size));
    if (byte_size > 0) {
      std::memcpy(copy.data(), buffer.base, byte_size);
    }
    packed_ = std::move(copy).Freeze(byte_size);
    return OkStatus();
  }
  const std::optional<Buffer>& packed() const { return packed_; }

 private:
  std::optional<Buffer> packed_;
};

class InsertAllocator final : public TRITONCACHE_Allocator {
 public:
  explicit InsertAllocator(const ResponsePacker& packer) : packer_(packer) {}
  Status Copy(TRITONCACHE_CacheEntry& entry) override {
    HEADRACE_ASSIGN_OR_RETURN(const TRITONCACHE_CacheEntry::Buffer buffer, OneHostBuffer(entry));
    if (buffer.attributes.byte_size < packer_.byte_size()) {
      return InvalidArgument("the cache's buffer has {} bytes, the entry takes {}",
                             buffer.attributes.byte_size, packer_.byte_size());
    }
    packer_.WriteTo(static_cast<std::byte*>(buffer.base));
    return OkStatus();
  }

 private:
  const ResponsePacker& packer_;
};

bool InGpuMemory(const engine::InferResponse& response) {
  for (const NamedTensor& output : response.outputs) {
    if (output.tensor.memory_kind == MemoryKind::kGpu) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<std::string> FindCacheLibrary(const std::string& name, const std::string& directory) {
  std::error_code ignored;
  const fs::path path = LibraryPath(name, directory);
  return IsPlainName(name) && fs::is_regular_file(path, ignored) ? std::optional(path.string())
                                                                 : std::nullopt;
}

Result<std::shared_ptr<PluginCache>> PluginCache::Create(const PluginCacheOptions& options) {
  if (!IsPlainName(options.name)) {
    return InvalidArgument("cache '{}' must be a plain name", options.name);
  }
  const auto path = FindCacheLibrary(options.name, options.directory);
  if (!path) {
    return NotFound("unable to find the library of cache '{}', searched: {}", options.name,
                    LibraryPath(options.name, options.directory).string());
  }
  // Libraries name the one that has the host's entries.
  const Status host =
      OpenHostLibrary(options.host_library_directory.empty() ? HostLibraryDirectory()
                                                             : options.host_library_directory);
  if (!host.ok()) {
    HEADRACE_LOG_WARNING("published caches will not load without libtritonserver.so: {}",
                         host.message());
  }
  HEADRACE_ASSIGN_OR_RETURN(auto entries, OpenCacheLibrary(*path));
  CustomMetrics::OfProcess().AdmitCacheFamilies();
  TRITONCACHE_Cache* cache = nullptr;
  const Status status = CallLibrary("CacheInitialize", entries->initialize, &cache,
                                    SettingsJson(options.settings).c_str());
  if (!status.ok()) {
    return status.WithPrefix(fmt::format("cache '{}': ", options.name));
  }
  HEADRACE_LOG_INFO("response cache '{}' loaded from {}", options.name, *path);
  return std::shared_ptr<PluginCache>(new PluginCache(options, std::move(entries), cache));
}

PluginCache::PluginCache(const PluginCacheOptions& options,
                         std::unique_ptr<const EntryPoints> entries, TRITONCACHE_Cache* cache)
    : name_(options.name),
      entries_(std::move(entries)),
      cache_(cache),
      threads_("cache", options.thread_count, options.waiting_max) {}

PluginCache::~PluginCache() {
  const Status status = CallLibrary("CacheFinalize", entries_->finalize, cache_);
  if (!status.ok()) {
    HEADRACE_LOG_ERROR("finalizing cache '{}': {}", name_, status.ToString());
  }
}

std::optional<engine::InferResponse> PluginCache::Lookup(const engine::CacheKey& key) {
  TRITONCACHE_CacheEntry entry;
  LookupAllocator allocator;
  const Status status = CallLibrary("CacheLookup", entries_->lookup, cache_, KeyText(key).c_str(),
                                    &entry, static_cast<TRITONCACHE_Allocator*>(&allocator));
  if (status.code() == StatusCode::kNotFound) {
    return std::nullopt;
  }
  if (!status.ok() || !allocator.packed()) {
    CountFailure(lookup_failures_, "look-up",
                 status.ok() ? Internal("the library found the entry and copied nothing") : status);
    return std::nullopt;
  }
  auto response = UnpackResponse(*allocator.packed());
  if (!response.ok()) {
    CountFailure(lookup_failures_, "look-up", response.status());
    return std::nullopt;
  }
  return *std::move(response);
}

void PluginCache::Insert(const engine::CacheKey& key, const engine::InferResponse& response) {
  if (InGpuMemory(response)) {
    return;
  }
  const ResponsePacker packer(response);
  if (packer.byte_size() > kEntryByteSizeMax) {
    return;
  }
  TRITONCACHE_CacheEntry entry;
  entry.buffers.push_back({.base = nullptr, .attributes = {.byte_size = packer.byte_size()}});
  InsertAllocator allocator(packer);
  const Status status = CallLibrary("CacheInsert", entries_->insert, cache_, KeyText(key).c_str(),
                                    &entry, static_cast<TRITONCACHE_Allocator*>(&allocator));
  // Another request that missed at the same time was first, with the same answer.
  if (!status.ok() && status.code() != StatusCode::kAlreadyExists) {
    CountFailure(insert_failures_, "insertion", status);
  }
}

void PluginCache::CountFailure(std::atomic<std::uint64_t>& count, const char* what,
                               const Status& status) {
  const std::uint64_t number = count.fetch_add(1, std::memory_order_relaxed) + 1;
  if (std::has_single_bit(number)) {
    HEADRACE_LOG_WARNING("cache '{}': {} failed ({} so far): {}", name_, what, number,
                         status.message());
  }
}

void PluginCache::Collect(telemetry::PrometheusWriter& writer) const {
  writer.Family("headrace_cache_failures_total", telemetry::MetricKind::kCounter,
                "Calls of the response cache library that failed");
  writer.Sample({{"operation", "lookup"}}, lookup_failures_.load(std::memory_order_relaxed));
  writer.Sample({{"operation", "insert"}}, insert_failures_.load(std::memory_order_relaxed));
  writer.Family("headrace_cache_skipped_total", telemetry::MetricKind::kCounter,
                "Look-ups and insertions left out, since too many waited for the cache's threads");
  writer.Sample({}, threads_.refused_count());
}

}  // namespace headrace::plugin
