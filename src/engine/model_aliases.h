// The shorter names under which clients find models that have a namespace.
#ifndef HEADRACE_ENGINE_MODEL_ALIASES_H_
#define HEADRACE_ENGINE_MODEL_ALIASES_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headrace::engine {

struct ModelEntry;

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return std::hash<std::string_view>{}(name);
  }
};

// Not thread-safe while it is filled. Points at the entries that it is given.
//
// "/models/a::m" is also found as "m", and as "a::m". Models that were unloaded do not count while
// another of the name serves or is wanted; of several that are, none is found.
class ModelAliases {
 public:
  struct Target {
    const ModelEntry* entry = nullptr;  // of the only model meant, or of the first
    std::size_t wanted_count = 0;       // above one: ambiguous
  };

  // Keys without a namespace have no aliases.
  void Add(std::string_view key, const ModelEntry& entry);
  // Null for names that nobody has.
  const Target* Find(std::string_view alias) const;

 private:
  void AddAlias(std::string_view alias, const ModelEntry& entry, bool wanted);

  std::unordered_map<std::string, Target, NameHash, std::equal_to<>> targets_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_MODEL_ALIASES_H_
