// Which variants of a version a machine should serve. Pure.
#ifndef HEADRACE_REPOSITORY_VARIANT_POLICY_H_
#define HEADRACE_REPOSITORY_VARIANT_POLICY_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "repository/variant_manifest.h"

namespace headrace::repository {

// What variants are chosen by.
struct MachineFacts {
  std::string architecture;                     // "x86_64"
  std::set<std::string> instruction_sets;       // as in /proc/cpuinfo
  std::map<std::string, std::string> runtimes;  // those that the backends were built with
};

// Values of --model-variants and of the parameter of that meaning, beside a variant's name.
inline constexpr char kVariantsApplied[] = "applied";  // what the manifest says
inline constexpr char kVariantsBest[] = "best";
inline constexpr char kVariantsOff[] = "off";
inline constexpr char kVariantsParameter[] = "model_variants";  // of a model's configuration

struct VariantChoice {
  std::vector<const Variant*> candidates;  // the fastest first; of the manifest that was judged
  std::vector<std::string> reasons;        // for the log: why others are none
};

// The variants that `wish` (one of the values above, or a name) allows on this machine. "best"
// takes those only whose answers were accepted and that were surely faster than the original; a
// name takes that one even so. No candidates: the original serves.
VariantChoice ChooseVariants(const VariantManifest& manifest, const std::string& wish,
                             const MachineFacts& machine);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VARIANT_POLICY_H_
