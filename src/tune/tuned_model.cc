#include "tune/tuned_model.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "bench/file_writer.h"
#include "bench/json_value.h"
#include "repository/thread_parameters.h"
#include "tune/archive_yaml.h"
#include "tune/model_config.h"
#include "tune/repository_variants.h"

namespace headrace::tune {
namespace {

namespace fs = std::filesystem;

constexpr int kInstancesDefault = 8;
// Of handlers, which take lists of requests of any length: where nobody has set a batch, 1 is no
// limit of the model's.
constexpr std::int64_t kHandlerBatchDefault = 32;

std::vector<Variant> OnDevices(std::vector<Variant> variants, const std::string& device) {
  if (device == "cpu") {
    return variants;
  }
  std::vector<Variant> all;
  for (const Variant& variant : variants) {
    if (device == "both") {
      all.push_back(variant);
      all.back().name = variant.name.empty() ? "cpu" : variant.name;
    }
    if (variant.choice.empty() || variant.choice == "off") {  // variants are for processors
      all.push_back(variant);
      all.back().name = variant.name.empty() ? "gpu" : variant.name + " on gpu";
      all.back().on_gpu = true;
    }
  }
  return all;
}

std::string DirectoryOf(const TuneOptions& options, const std::string& model) {
  std::error_code error;
  for (const std::string& repository : options.repositories) {
    const fs::path path = fs::path(repository) / model;
    if (fs::is_directory(path, error)) {
      return path.string();
    }
  }
  return {};
}

// What TorchServe's forms can say, beside 0, which they have as 1 (DelayMs).
void InMilliseconds(std::vector<Nanos>& delays) {
  for (Nanos& delay : delays) {
    delay = delay == 0 ? 0 : DelayMs(delay) * kMillisecond;
  }
  delays.erase(std::unique(delays.begin(), delays.end()), delays.end());
}

// What is tuned beside the archive that it could not be put into.
ConfigFile BesideArchive(const TunedModel& model, const std::string& archive, std::string text,
                         std::string_view why) {
  const std::string name = model.name + ".model-config.yaml";
  return {.name = "model-config.yaml",
          .text = std::move(text),
          .path = (fs::path(archive).parent_path() / name).string(),
          .note = fmt::format("{}: {}; nothing reads {} until the archive is packed anew with it "
                              "(torch-model-archiver --config-file)",
                              archive, why, name)};
}

Result<ConfigFile> ArchiveFileFor(const TunedModel& model, const std::string& archive,
                                  const Configuration& winner, const Variant& variant,
                                  std::string_view comment) {
  HEADRACE_ASSIGN_OR_RETURN(ArchiveSettings settings, ReadArchiveSettings(archive));
  auto text = TunedArchiveYaml(settings.yaml, winner, variant, comment);
  if (!text.ok()) {
    HEADRACE_ASSIGN_OR_RETURN(std::string alone, TunedArchiveYaml("", winner, variant, comment));
    return BesideArchive(model, archive, std::move(alone), text.status().message());
  }
  if (!settings.zip) {
    return BesideArchive(model, archive, *std::move(text), "a tar is not written anew");
  }
  return ConfigFile{.name = "model-config.yaml",
                    .text = *std::move(text),
                    .path = archive,
                    .archive = std::move(settings)};
}

Result<SearchSpace> SpaceFor(const TunedModel& model, const TuneOptions& options, Nanos sla) {
  SpaceLimits limits;
  limits.batch_max = model.facts.batch_size_max;
  if (options.batch_max > 0 && model.batches()) {
    limits.batch_max = options.batch_max;
  } else if (model.facts.batch_size_max == 1 &&
             (model.registered() || model.backend == "handler")) {
    limits.batch_max = kHandlerBatchDefault;
  }
  limits.cores =
      options.cores > 0 ? options.cores : std::max(1, static_cast<int>(AvailableCpus().size()));
  limits.instances_max = options.instances_max > 0 ? options.instances_max
                                                   : std::clamp(limits.cores, 1, kInstancesDefault);
  limits.sla = sla;
  Variant original;
  original.thread_parameter = repository::ThreadParameter(model.backend);
  std::vector<Variant> variants = {original};
  if (options.variants && !model.directory.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(variants, ReadVariants(model.directory, original));
  }
  SearchSpace space = MakeSpace(OnDevices(std::move(variants), options.device), limits);
  if (!options.delays.empty() && limits.batch_max > 1) {
    space.delays = options.delays;
  }
  if (model.registered() || !options.archive.empty()) {
    InMilliseconds(space.delays);
  }
  return space;
}

}  // namespace

Result<TunedModel> LookAtModel(load::ServerControl& control, const TuneOptions& options,
                               const std::string& name, Nanos sla) {
  TunedModel model{.name = name, .directory = DirectoryOf(options, name)};
  auto facts = control.Model(name, "");
  if (!facts.ok()) {
    return facts.status().WithPrefix(fmt::format("model '{}': ", name));
  }
  model.facts = *std::move(facts);
  if (!model.facts.composing_models.empty()) {
    return FailedPrecondition(
        "model '{}' is an ensemble: tune the models that it is made of, which have the instances",
        name);
  }
  if (model.facts.sequences || model.facts.decoupled) {
    return FailedPrecondition(
        "model '{}' {}: a latency of single requests says nothing of it; it cannot be tuned yet",
        name, model.facts.sequences ? "has sequences" : "is decoupled");
  }
  const auto config = bench::JsonValue::Parse(model.facts.config_json);
  model.backend = config.ok() ? std::string(config->At("backend").AsString()) : "";
  HEADRACE_ASSIGN_OR_RETURN(model.space, SpaceFor(model, options, sla));
  return model;
}

SessionProberOptions ProberOptionsFor(const TunedModel& model, const TuneOptions& options,
                                      const load::TargetSpec& target, const Target& sla) {
  SessionProberOptions prober;
  prober.target = target;
  prober.workload = options.bench.workload;
  prober.workload.protocol = target.protocol;
  prober.workload.item.model = model.name;
  const bool v2 =
      target.protocol == load::Protocol::kV2Http || target.protocol == load::Protocol::kV2Grpc;
  prober.model_batches = model.batches();
  prober.rows_in_one_request = v2 && model.batches() && model.backend != "handler";
  prober.sla = sla;
  prober.intervals = options.search.intervals;
  prober.sender_count = std::max(1, options.bench.sender_count);
  prober.seed = options.search.seed;
  prober.fresh_loads = options.url.empty();
  return prober;
}

Result<ConfigFile> ConfigFileFor(const TunedModel& model, const std::string& archive,
                                 const Configuration& winner, std::string_view comment) {
  const Variant& variant = *model.space.Find(winner.variant);
  ConfigFile file;
  if (!archive.empty()) {
    return ArchiveFileFor(model, archive, winner, variant, comment);
  }
  if (model.registered()) {
    file.name = "model-config.yaml";
    HEADRACE_ASSIGN_OR_RETURN(file.text, TunedArchiveYaml("", winner, variant, comment));
    return file;
  }
  file.name = "config.pbtxt";
  std::string old;
  if (!model.directory.empty()) {
    file.path = (fs::path(model.directory) / "config.pbtxt").string();
    std::ifstream in(file.path, std::ios::binary);
    old.assign(std::istreambuf_iterator<char>(in), {});
  }
  HEADRACE_ASSIGN_OR_RETURN(
      file.text, TunedConfigText(old, model.name, winner, variant, model.batches(), comment));
  return file;
}

Result<std::string> WriteConfigFile(const ConfigFile& file) {
  if (file.path.empty()) {
    return std::string();
  }
  std::string kept;
  std::error_code error;
  if (file.archive) {
    HEADRACE_ASSIGN_OR_RETURN(kept, WriteArchiveSettings(file.path, *file.archive, file.text));
  } else {
    if (fs::exists(file.path, error)) {
      HEADRACE_ASSIGN_OR_RETURN(kept, KeepBeside(file.path));
    }
    HEADRACE_RETURN_IF_ERROR(bench::WriteFile(file.path, file.text));
  }
  return kept.empty()
             ? file.path
             : fmt::format("{} (as it was: {})", file.path, fs::path(kept).filename().string());
}

}  // namespace headrace::tune
