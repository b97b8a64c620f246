// libtritoncache_test.so: a response cache in a map, that breaks the interface's rules on demand.
//
// The setting "fault" says how: "refuse" (initialisation), "lookup", "insert" (errors), "throw"
// (look-ups), "cut" (gives back half of an entry), "garble" (gives back other bytes), "no_copy"
// (finds the entry and copies nothing), "two_buffers" (gives it back in two). The setting
// "wait_for" names a file: no call goes on before it is there.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "triton_abi.h"

namespace {

class TestCache {
 public:
  explicit TestCache(std::string config) : config_(std::move(config)) {}

  bool Has(std::string_view fault) const {
    return config_.find("\"fault\":\"" + std::string(fault) + "\"") != std::string::npos;
  }

  TRITONSERVER_Error* Lookup(const char* key, TRITONCACHE_CacheEntry* entry,
                             TRITONCACHE_Allocator* allocator) {
    Wait();
    if (Has("throw")) {
      throw std::runtime_error("the look-up throws");
    }
    if (Has("lookup")) {
      return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "the look-up fails");
    }
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
      return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_NOT_FOUND, "no such key");
    }
    if (Has("no_copy")) {
      return nullptr;
    }
    std::string bytes = found->second;
    if (Has("cut")) {
      bytes.resize(bytes.size() / 2);
    }
    if (Has("garble")) {
      std::fill(bytes.begin(), bytes.end(), '\xff');
    }
    for (int i = 0; i < (Has("two_buffers") ? 2 : 1); ++i) {
      if (TRITONSERVER_Error* error = Add(entry, bytes)) {
        return error;
      }
    }
    return TRITONCACHE_Copy(allocator, entry);
  }

  TRITONSERVER_Error* Insert(const char* key, TRITONCACHE_CacheEntry* entry,
                             TRITONCACHE_Allocator* allocator) {
    Wait();
    if (Has("insert")) {
      return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "the insertion fails");
    }
    TRITONSERVER_BufferAttributes* attributes = nullptr;
    TRITONSERVER_Error* error = TRITONSERVER_BufferAttributesNew(&attributes);
    std::size_t count = 0, byte_size = 0;
    void* base = nullptr;
    if (error == nullptr) {
      error = TRITONCACHE_CacheEntryBufferCount(entry, &count);
    }
    if (error == nullptr) {
      error = TRITONCACHE_CacheEntryGetBuffer(entry, count - 1, &base, attributes);
    }
    if (error == nullptr) {
      error = TRITONSERVER_BufferAttributesByteSize(attributes, &byte_size);
    }
    TRITONSERVER_ErrorDelete(TRITONSERVER_BufferAttributesDelete(attributes));
    std::string bytes(byte_size, '\0');
    if (error == nullptr) {
      error = TRITONCACHE_CacheEntrySetBuffer(entry, 0, bytes.data(), nullptr);
    }
    if (error == nullptr) {
      error = TRITONCACHE_Copy(allocator, entry);
    }
    if (error == nullptr) {
      std::lock_guard lock(mutex_);
      entries_[key] = std::move(bytes);
    }
    return error;
  }

 private:
  static TRITONSERVER_Error* Add(TRITONCACHE_CacheEntry* entry, std::string& bytes) {
    TRITONSERVER_BufferAttributes* attributes = nullptr;
    TRITONSERVER_Error* error = TRITONSERVER_BufferAttributesNew(&attributes);
    if (error == nullptr) {
      error = TRITONSERVER_BufferAttributesSetByteSize(attributes, bytes.size());
    }
    if (error == nullptr) {
      error = TRITONCACHE_CacheEntryAddBuffer(entry, bytes.data(), attributes);
    }
    TRITONSERVER_ErrorDelete(TRITONSERVER_BufferAttributesDelete(attributes));
    return error;
  }

  void Wait() const {
    constexpr std::string_view kKey = "\"wait_for\":\"";
    const std::size_t found = config_.find(kKey);
    if (found == std::string::npos) {
      return;
    }
    const std::size_t begin = found + kKey.size();
    const std::string path = config_.substr(begin, config_.find('"', begin) - begin);
    while (!std::filesystem::exists(path)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  const std::string config_;
  std::mutex mutex_;  // guards entries_
  std::map<std::string, std::string, std::less<>> entries_;
};

TestCache* Of(TRITONCACHE_Cache* cache) { return reinterpret_cast<TestCache*>(cache); }

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONCACHE_CacheInitialize(TRITONCACHE_Cache** cache, const char* config) {
  auto made = std::make_unique<TestCache>(config);
  if (made->Has("refuse")) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, config);
  }
  *cache = reinterpret_cast<TRITONCACHE_Cache*>(made.release());
  return nullptr;
}

TRITONSERVER_Error* TRITONCACHE_CacheFinalize(TRITONCACHE_Cache* cache) {
  delete Of(cache);
  return nullptr;
}

TRITONSERVER_Error* TRITONCACHE_CacheLookup(TRITONCACHE_Cache* cache, const char* key,
                                            TRITONCACHE_CacheEntry* entry,
                                            TRITONCACHE_Allocator* allocator) {
  return Of(cache)->Lookup(key, entry, allocator);
}

TRITONSERVER_Error* TRITONCACHE_CacheInsert(TRITONCACHE_Cache* cache, const char* key,
                                            TRITONCACHE_CacheEntry* entry,
                                            TRITONCACHE_Allocator* allocator) {
  return Of(cache)->Insert(key, entry, allocator);
}

}  // extern "C"
