// What a response cache library sees of an entry, and how it asks for the entry's bytes to be
// copied (families "cache" and "cache_entry_points" of abi/triton.yaml).
#ifndef HEADRACE_PLUGIN_CACHE_HANDLE_H_
#define HEADRACE_PLUGIN_CACHE_HANDLE_H_

#include <cstddef>
#include <vector>

#include "plugin/values.h"

// Buffers with their attributes. During a look-up the library adds the buffers that it keeps, which
// must stay as they are until TRITONCACHE_Copy returns. During an insertion the host says how large
// they are, with a null base, and the library sets where they are to be written. One thread.
struct TRITONCACHE_CacheEntry {
  // What an entry may have: the host makes one.
  static constexpr std::size_t kBufferCountMax = 1024;

  struct Buffer {
    void* base = nullptr;
    TRITONSERVER_BufferAttributes attributes;
  };
  std::vector<Buffer> buffers;
};

// The host's side of TRITONCACHE_Copy: out of the library's memory at a look-up, into it at an
// insertion. Lives for one call of the library.
struct TRITONCACHE_Allocator {
  virtual headrace::Status Copy(TRITONCACHE_CacheEntry& entry) = 0;

 protected:
  ~TRITONCACHE_Allocator() = default;
};

#endif  // HEADRACE_PLUGIN_CACHE_HANDLE_H_
