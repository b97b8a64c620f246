#include "repository/version_policy.h"

#include <algorithm>
#include <set>

#include "repository/protobuf_messages.h"

namespace headrace::repository {

VersionSelection SelectVersions(const inference::ModelVersionPolicy& policy,
                                std::span<const std::int64_t> available) {
  const std::set<std::int64_t> present(available.begin(), available.end());
  VersionSelection selection;
  if (policy.has_specific()) {
    const auto& listed = policy.specific().versions();
    for (const std::int64_t version : std::set<std::int64_t>(listed.begin(), listed.end())) {
      (present.count(version) > 0 ? selection.wanted : selection.missing).push_back(version);
    }
    return selection;
  }
  selection.wanted.assign(present.begin(), present.end());
  if (policy.has_all()) {
    return selection;
  }
  const std::size_t count_max = policy.has_latest() ? policy.latest().num_versions() : 1;
  if (selection.wanted.size() > count_max) {
    selection.wanted.erase(selection.wanted.begin(),
                           selection.wanted.end() - static_cast<std::ptrdiff_t>(count_max));
  }
  return selection;
}

}  // namespace headrace::repository
