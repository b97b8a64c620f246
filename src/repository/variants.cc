#include "repository/variants.h"

#include "base/log.h"
#include "repository/file_digest.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "repository/variant_config.h"

namespace headrace::repository {
namespace {

std::string WishOf(const inference::ModelConfig& config, const VariantOptions& options) {
  const auto said = config.parameters().find(kVariantsParameter);
  return said != config.parameters().end() && !said->second.string_value().empty()
             ? said->second.string_value()
             : options.wish;
}

}  // namespace

std::optional<Variant> FindVariant(const ModelPlan& plan, std::int64_t version,
                                   const inference::ModelConfig& config,
                                   const VariantOptions& options) {
  const std::string wish = WishOf(config, options);
  if (wish == kVariantsOff || !plan.may_have_variants) {
    return std::nullopt;
  }
  // Of an archive the variants lie beside it, not where it was unpacked.
  const ModelLocation& location = plan.watched;
  const std::string root = options.links_may_leave ? "/" : location.repository;
  const std::string directory = fmt::format("{}/{}", location.directory, version);
  const auto serves_anyway = [&](std::string_view why) {
    HEADRACE_LOG_WARNING("model '{}' version {}: {}; the original serves", plan.name(), version,
                         why);
    return std::nullopt;
  };
  const auto manifest = ReadVariantManifest(root, directory);
  if (!manifest.ok()) {
    return manifest.status().code() == StatusCode::kNotFound
               ? std::optional<Variant>()
               : serves_anyway(manifest.status().message());
  }
  const VariantChoice choice = ChooseVariants(*manifest, wish, options.machine);
  for (const std::string& reason : choice.reasons) {
    HEADRACE_LOG_WARNING("model '{}' version {}: {}", plan.name(), version, reason);
  }
  if (choice.candidates.empty()) {
    return choice.reasons.empty() ? std::optional<Variant>()
                                  : serves_anyway("no variant fits this machine");
  }
  if (const std::string why_not = WhyNoVariants(config); !why_not.empty()) {
    return serves_anyway(fmt::format("variants are not used: {}", why_not));
  }
  if (const Status same = CheckListedFiles(root, directory, manifest->source_files); !same.ok()) {
    return serves_anyway(fmt::format(
        "variants are not used, the model has changed since they were made: {}; run headrace "
        "optimize again",
        same.message()));
  }
  for (const Variant* variant : choice.candidates) {
    const Status whole = CheckListedFiles(
        root, fmt::format("{}/{}/{}", directory, kVariantsDirectory, variant->name),
        variant->files);
    if (whole.ok()) {
      return *variant;
    }
    HEADRACE_LOG_WARNING("model '{}' version {}: variant '{}' is not used: {}", plan.name(),
                         version, variant->name, whole.message());
  }
  return serves_anyway("no variant is whole");
}

}  // namespace headrace::repository
