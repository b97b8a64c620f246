// Which models ensembles are made of.
#ifndef HEADRACE_REPOSITORY_DEPENDENCY_GRAPH_H_
#define HEADRACE_REPOSITORY_DEPENDENCY_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"

namespace headrace::repository {

// One step of an ensemble.
struct ComposingModel {
  std::string name;
  std::int64_t version = -1;  // -1: the newest that is ready

  auto operator<=>(const ComposingModel&) const = default;
};

// The ensembles that are wanted and what they need. Pure bookkeeping; not thread-safe.
class DependencyGraph {
 public:
  // `parts` may name models that nobody knows yet. No parts: the same as Remove.
  void Set(const std::string& ensemble, std::vector<ComposingModel> parts);
  void Remove(const std::string& ensemble);

  // Empty for what is no ensemble.
  const std::vector<ComposingModel>& PartsOf(const std::string& ensemble) const;
  // The ensembles that have `model` for a step, sorted.
  std::vector<std::string> EnsemblesOf(const std::string& model) const;
  // What `ensemble` needs, directly or through others, and no other ensemble does but those among
  // the result; sorted. `ensemble` itself is not in it.
  std::vector<std::string> NeededOnlyBy(const std::string& ensemble) const;

 private:
  std::map<std::string, std::vector<ComposingModel>> parts_;
  std::map<std::string, std::set<std::string>> ensembles_;  // by composing model
};

inline constexpr std::size_t kEnsembleDepthMax = 32;
inline constexpr std::size_t kComposingModelCountMax = 1024;

// Walks everything that `ensemble`, made of `parts`, needs; `parts_of` tells what another model is
// made of (nothing: no ensemble). INVALID_ARGUMENT with the text of contracts, Triton 3.6 for a
// circle; also beyond kEnsembleDepthMax levels and kComposingModelCountMax models.
using PartsReader = std::function<std::vector<ComposingModel>(const std::string& model)>;
Status CheckComposition(const std::string& ensemble, const std::vector<ComposingModel>& parts,
                        const PartsReader& parts_of);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_DEPENDENCY_GRAPH_H_
