// A model that is tuned: what the server says of it, what is searched, and its configuration file.
#ifndef HEADRACE_TUNE_TUNED_MODEL_H_
#define HEADRACE_TUNE_TUNED_MODEL_H_

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/server_control.h"
#include "tune/archive_settings.h"
#include "tune/configuration.h"
#include "tune/session_prober.h"
#include "tune/space.h"
#include "tune/torchserve_models.h"
#include "tune/tune_options.h"

namespace headrace::tune {

struct TunedModel {
  std::string name;
  load::ModelFacts facts{};
  std::string backend{};
  std::string directory{};  // in a repository that is here; "" = it is not
  SearchSpace space{};

  bool batches() const { return facts.batch_size_max > 0; }
  // A registration of TorchServe's management API (torchserve_models.h).
  bool registered() const { return backend == kRegisteredBackend; }
  // Its instances take a batch ahead (SearchOptions::ahead).
  bool ahead() const { return backend == "python" || backend == "handler"; }
};

// Asks the server for it. FAILED_PRECONDITION where such a model cannot be tuned: ensembles,
// sequences, decoupled ones. `sla` scales the delays that are tried.
Result<TunedModel> LookAtModel(load::ServerControl& control, const TuneOptions& options,
                               const std::string& name, Nanos sla);

// All but listener and stop.
SessionProberOptions ProberOptionsFor(const TunedModel& model, const TuneOptions& options,
                                      const load::TargetSpec& target, const Target& sla);

struct ConfigFile {
  std::string name;  // "config.pbtxt" or "model-config.yaml"
  std::string text;
  std::string path;  // where it belongs; "" = that is not here
  // `path` is a zip archive that gets the file; nothing: it is the file itself.
  std::optional<ArchiveSettings> archive{};
  std::string note{};  // what the reader has to know of it; "" = nothing
};

// `archive`: the model is served from it ("" = not). An archive that cannot be written anew (a tar,
// 4 GiB and more, settings that cannot be changed line by line) gets a file of its own beside it.
Result<ConfigFile> ConfigFileFor(const TunedModel& model, const std::string& archive,
                                 const Configuration& winner, std::string_view comment);
// The old file, or archive, is kept beside it (KeepBeside). Returns what was written and what is
// kept, in words; "" where there is no path, and nothing to write.
Result<std::string> WriteConfigFile(const ConfigFile& file);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TUNED_MODEL_H_
