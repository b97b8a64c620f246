// Entries of family "cache", and the version of the cache interface.
#include "plugin/cache_handle.h"

using headrace::InvalidArgument;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

namespace {

// The failure, or null where `entry` has buffer `index`.
TRITONSERVER_Error* RefuseIndex(const TRITONCACHE_CacheEntry* entry, std::size_t index) {
  if (entry == nullptr) {
    return RefuseCall("the cache entry is null");
  }
  return index < entry->buffers.size()
             ? nullptr
             : ToTriton(InvalidArgument("the cache entry has {} buffers, not one at {}",
                                        entry->buffers.size(), index));
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONCACHE_ApiVersion(uint32_t* major, uint32_t* minor) {
  *major = TRITONCACHE_API_VERSION_MAJOR;
  *minor = TRITONCACHE_API_VERSION_MINOR;
  return nullptr;
}

TRITONSERVER_Error* TRITONCACHE_CacheEntryNew(TRITONCACHE_CacheEntry** entry) {
  return Answer([&]() -> TRITONSERVER_Error* {
    if (entry == nullptr) {
      return RefuseCall("there is no place for the cache entry");
    }
    *entry = new TRITONCACHE_CacheEntry();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONCACHE_CacheEntryDelete(TRITONCACHE_CacheEntry* entry) {
  delete entry;
  return nullptr;
}

TRITONSERVER_Error* TRITONCACHE_CacheEntryBufferCount(TRITONCACHE_CacheEntry* entry,
                                                      size_t* count) {
  if (entry == nullptr || count == nullptr) {
    return RefuseCall("the cache entry or the place for its count is null");
  }
  *count = entry->buffers.size();
  return nullptr;
}

TRITONSERVER_Error* TRITONCACHE_CacheEntryAddBuffer(
    TRITONCACHE_CacheEntry* entry, void* base, TRITONSERVER_BufferAttributes* buffer_attributes) {
  return Answer([&]() -> TRITONSERVER_Error* {
    if (entry == nullptr || base == nullptr || buffer_attributes == nullptr) {
      return RefuseCall("a cache entry takes buffers that have an address and attributes");
    }
    if (entry->buffers.size() >= TRITONCACHE_CacheEntry::kBufferCountMax) {
      return ToTriton(InvalidArgument("a cache entry has at most {} buffers",
                                      TRITONCACHE_CacheEntry::kBufferCountMax));
    }
    entry->buffers.push_back({base, *buffer_attributes});
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONCACHE_CacheEntryGetBuffer(
    TRITONCACHE_CacheEntry* entry, size_t index, void** base,
    TRITONSERVER_BufferAttributes* buffer_attributes) {
  if (TRITONSERVER_Error* refusal = RefuseIndex(entry, index)) {
    return refusal;
  }
  if (base == nullptr || buffer_attributes == nullptr) {
    return RefuseCall("there is no place for the buffer's address or its attributes");
  }
  *base = entry->buffers[index].base;
  *buffer_attributes = entry->buffers[index].attributes;
  return nullptr;
}

// Without attributes the buffer keeps those that it has.
TRITONSERVER_Error* TRITONCACHE_CacheEntrySetBuffer(
    TRITONCACHE_CacheEntry* entry, size_t index, void* new_base,
    TRITONSERVER_BufferAttributes* buffer_attributes) {
  if (TRITONSERVER_Error* refusal = RefuseIndex(entry, index)) {
    return refusal;
  }
  entry->buffers[index].base = new_base;
  if (buffer_attributes != nullptr) {
    entry->buffers[index].attributes = *buffer_attributes;
  }
  return nullptr;
}

TRITONSERVER_Error* TRITONCACHE_Copy(TRITONCACHE_Allocator* allocator,
                                     TRITONCACHE_CacheEntry* entry) {
  return Answer([&]() -> TRITONSERVER_Error* {
    if (allocator == nullptr || entry == nullptr) {
      return RefuseCall("the cache allocator or the cache entry is null");
    }
    return ToTriton(allocator->Copy(*entry));
  });
}

}  // extern "C"
