// index_to_name.json: what the classes of a model are called (contracts, TorchServe 8.5).
#ifndef HEADRACE_HANDLER_LABEL_MAP_H_
#define HEADRACE_HANDLER_LABEL_MAP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace headrace::handler {

// Immutable once made; thread-safe.
class LabelMap {
 public:
  // Without names: classes are called by their numbers.
  LabelMap() = default;
  // {"0": "label"}, {"0": ["id", ..., "label"]} or {"object_type_names": ["label", ...]}.
  // INVALID_ARGUMENT, which names the class, for anything else.
  static Result<LabelMap> Parse(std::string_view json);

  // The name of a class; its number where it has none.
  std::string Name(std::int64_t index) const;

 private:
  std::unordered_map<std::string, std::string> names_;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_LABEL_MAP_H_
