#include "repository/repository_look.h"

#include <string>

#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

// A fault is a state of its own: it is reported when it comes and when it goes.
std::uint64_t FaultFingerprint(const std::string& text) {
  Fingerprint fingerprint;
  fingerprint.Add(text);
  return fingerprint.value();
}

}  // namespace

PollTracker::Look LookAt(const RepositoryScan& scan, bool links_may_leave) {
  PollTracker::Look look;
  for (const auto& [name, location] : scan.models) {
    const auto summary = InspectDirectory(location.repository, location.directory, links_may_leave);
    look.models[name] = {
        summary.ok() ? summary->fingerprint : FaultFingerprint(summary.status().message()),
        location.repository};
  }
  for (const auto& [name, problem] : scan.problems) {
    look.models[name] = {FaultFingerprint(problem), ""};
  }
  for (const auto& [repository, reason] : scan.unreadable) {
    look.unreadable.insert(repository);
  }
  return look;
}

}  // namespace headrace::repository
