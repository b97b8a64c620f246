#include "engine/cache_key.h"

#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "base/check.h"

namespace headrace::engine {
namespace {

// Every part goes in with its length, so that no two rows of parts look the same.
class Hasher {
 public:
  explicit Hasher(std::uint64_t seed) : state_(XXH3_createState()) {
    HEADRACE_CHECK(state_ != nullptr);
    XXH3_128bits_reset_withSeed(state_.get(), seed);
  }
  void Add(std::uint64_t number) { Raw(&number, sizeof(number)); }
  void Add(std::string_view text) {
    Add(std::uint64_t{text.size()});
    Raw(text.data(), text.size());
  }
  void Raw(const void* data, std::size_t byte_size) {
    if (byte_size > 0) {
      XXH3_128bits_update(state_.get(), data, byte_size);
    }
  }
  CacheKey key() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return {.high = hash.high64, .low = hash.low64};
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

template <typename T>
std::vector<const T*> SortedByName(const std::vector<T>& items) {
  std::vector<const T*> sorted;
  sorted.reserve(items.size());
  for (const T& item : items) {
    sorted.push_back(&item);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const T* a, const T* b) { return a->name < b->name; });
  return sorted;
}

void AddTensor(const NamedTensor& input, Hasher& hasher) {
  const Tensor& tensor = input.tensor;
  hasher.Add(std::string_view(input.name));
  hasher.Add(static_cast<std::uint64_t>(tensor.dtype));
  hasher.Add(std::uint64_t{tensor.shape.rank()});
  for (const std::int64_t dim : tensor.shape) {
    hasher.Add(static_cast<std::uint64_t>(dim));
  }
  hasher.Add(std::uint64_t{tensor.byte_size()});
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    hasher.Raw(tensor.fragment(i).data(), tensor.fragment(i).size());
  }
}

void AddParameter(const Parameter& parameter, Hasher& hasher) {
  hasher.Add(std::string_view(parameter.name));
  hasher.Add(std::uint64_t{parameter.value.index()});
  std::visit(
      [&hasher](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
          hasher.Add(std::string_view(value));
        } else {
          hasher.Raw(&value, sizeof(value));
        }
      },
      parameter.value);
}

}  // namespace

std::optional<CacheKey> MakeCacheKey(const CachedModel& model, const ModelSignature& signature,
                                     const InferRequest& request, std::uint64_t seed) {
  Hasher hasher(seed);
  hasher.Add(model.name_space);
  hasher.Add(model.name);
  hasher.Add(static_cast<std::uint64_t>(model.version));
  hasher.Add(std::uint64_t{request.inputs.size()});
  for (const NamedTensor* input : SortedByName(request.inputs)) {
    if (input->tensor.memory_kind == MemoryKind::kGpu) {
      return std::nullopt;
    }
    AddTensor(*input, hasher);
  }
  hasher.Add(std::uint64_t{request.parameters.size()});
  for (const Parameter* parameter : SortedByName(request.parameters)) {
    AddParameter(*parameter, hasher);
  }
  // A backend may compute only what is asked for. All by name is the same as all.
  if (request.wanted_outputs.size() < signature.outputs.size()) {
    std::vector<std::string> wanted = request.wanted_outputs;
    std::sort(wanted.begin(), wanted.end());
    for (const std::string& output : wanted) {
      hasher.Add(std::string_view(output));
    }
  }
  return hasher.key();
}

}  // namespace headrace::engine
