#include "tune/report.h"

#include <algorithm>

namespace headrace::tune {
namespace {

// Within one percent two rates are one: nobody measures better.
constexpr double kSame = 1.01;

}  // namespace

std::string_view StageName(Stage stage) {
  switch (stage) {
    case Stage::kSimulated:
      return "simulated";
    case Stage::kProbed:
      return "probed";
    case Stage::kCapacity:
      return "capacity";
    case Stage::kConfirmed:
      return "confirmed";
  }
  return "unknown";
}

std::string_view BindsName(Binds binds) {
  switch (binds) {
    case Binds::kNothing:
      return "nothing";
    case Binds::kSla:
      return "sla";
    case Binds::kCompute:
      return "compute";
    case Binds::kMemory:
      return "memory";
    case Binds::kQueue:
      return "queue";
    case Binds::kClient:
      return "client";
  }
  return "unknown";
}

double Finding::rate() const {
  if (!failure.empty()) {
    return 0;
  }
  if (capacity) {
    return capacity->rate;
  }
  return rungs > 0 ? estimate.value : predicted;
}

bool Dominates(const Finding& a, const Finding& b) {
  const bool known = a.memory_bytes > 0 && b.memory_bytes > 0;
  const bool as_good = a.rate() * kSame >= b.rate() && a.cores() <= b.cores() &&
                       (!known || a.memory_bytes <= b.memory_bytes * 1.02) &&
                       a.accuracy_drop <= b.accuracy_drop;
  const bool better = a.rate() > b.rate() * kSame || a.cores() < b.cores() ||
                      (known && a.memory_bytes * 1.02 < b.memory_bytes) ||
                      a.accuracy_drop < b.accuracy_drop;
  return as_good && better;
}

std::vector<std::size_t> ParetoSet(const std::vector<Finding>& findings) {
  std::vector<std::size_t> set;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const auto beats = [&](const Finding& other) {
      return other.rungs > 0 && Dominates(other, findings[i]);
    };
    if (findings[i].rungs > 0 && findings[i].rate() > 0 &&
        std::none_of(findings.begin(), findings.end(), beats)) {
      set.push_back(i);
    }
  }
  std::stable_sort(set.begin(), set.end(), [&](std::size_t a, std::size_t b) {
    return findings[a].rate() > findings[b].rate();
  });
  return set;
}

double Score(const Finding& finding, Objective objective, double rate_wanted) {
  const double rate = finding.rate();
  if (objective != Objective::kCost || rate <= 0) {
    return rate;
  }
  if (rate_wanted <= 0) {
    return rate / finding.cores();
  }
  // Whatever carries the rate comes before whatever does not; among those the fewest cores, then
  // the most room.
  return rate < rate_wanted ? rate / rate_wanted
                            : 1e6 / finding.cores() + std::min(1e3, rate / rate_wanted);
}

}  // namespace headrace::tune
