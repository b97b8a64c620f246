// The key of a request in a response cache.
#ifndef HEADRACE_ENGINE_CACHE_KEY_H_
#define HEADRACE_ENGINE_CACHE_KEY_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/request.h"
#include "engine/response_cache.h"
#include "engine/signature.h"

namespace headrace::engine {

// Which answers are a model's own.
struct CachedModel {
  std::string_view name_space;  // empty: there are none
  std::string_view name;
  std::int64_t version = 1;
};

// A hash (XXH3, 128 bits) of the model's namespace, name and version, every input's name, datatype,
// shape and bytes, the parameters, and the outputs that are asked for when these are not all. The
// order of inputs, parameters and outputs does not matter. (A stock Triton hashes the names and
// bytes of the inputs only, with 64 bits.) Nothing for inputs in GPU memory, which are not cached.
//
// Cost (bench/response_cache.cc, two busy cores): 0.3 us, and 4 to 5 GB/s for large inputs.
std::optional<CacheKey> MakeCacheKey(const CachedModel& model, const ModelSignature& signature,
                                     const InferRequest& request, std::uint64_t seed);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_CACHE_KEY_H_
