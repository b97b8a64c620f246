#include "repository/variant_policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace headrace::repository {
namespace {

// Empty if the machine can run it.
std::string WhyNotHere(const Variant& variant, const MachineFacts& machine) {
  if (!variant.architecture.empty() && variant.architecture != machine.architecture) {
    return fmt::format("it is for {}, this machine is {}", EscapeForLog(variant.architecture, 64),
                       machine.architecture);
  }
  for (const std::string& needed : variant.instruction_sets) {
    if (machine.instruction_sets.count(needed) == 0) {
      return fmt::format("it needs the instruction set {}, which this processor lacks",
                         EscapeForLog(needed, 64));
    }
  }
  for (const auto& [runtime, version] : variant.runtimes) {
    const auto found = machine.runtimes.find(runtime);
    if (found == machine.runtimes.end()) {
      return fmt::format("it needs {} {}, which this build is without", EscapeForLog(runtime, 64),
                         EscapeForLog(version, 64));
    }
    if (found->second != version) {
      return fmt::format("it needs {} {}, this build has {}", EscapeForLog(runtime, 64),
                         EscapeForLog(version, 64), found->second);
    }
  }
  return "";
}

std::string WhyNotBest(const Variant& variant) {
  if (!variant.accepted) {
    return "its answers were not accepted";
  }
  return variant.speed_up_low > 1 ? "" : "it was not surely faster than the original";
}

}  // namespace

VariantChoice ChooseVariants(const VariantManifest& manifest, const std::string& wish,
                             const MachineFacts& machine) {
  VariantChoice choice;
  const std::string& name = wish == kVariantsApplied ? manifest.applied : wish;
  if (name.empty() || name == kVariantsOff) {
    return choice;
  }
  const bool best = name == kVariantsBest;
  bool known = best;
  for (const Variant& variant : manifest.variants) {
    if (!best && variant.name != name) {
      continue;
    }
    known = true;
    std::string why_not = WhyNotHere(variant, machine);
    if (why_not.empty() && best) {
      why_not = WhyNotBest(variant);
    }
    if (why_not.empty()) {
      choice.candidates.push_back(&variant);
    } else {
      choice.reasons.push_back(fmt::format("variant '{}' is not used: {}", variant.name, why_not));
    }
  }
  if (!known) {
    choice.reasons.push_back(fmt::format("there is no variant '{}'", EscapeForLog(name, 128)));
  }
  std::stable_sort(
      choice.candidates.begin(), choice.candidates.end(),
      [](const Variant* a, const Variant* b) { return a->items_per_s > b->items_per_s; });
  return choice;
}

}  // namespace headrace::repository
