// A model that is tuned: what the server says of it, what is searched, and its configuration file.
#ifndef HEADRACE_TUNE_TUNED_MODEL_H_
#define HEADRACE_TUNE_TUNED_MODEL_H_

#include <atomic>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/server_control.h"
#include "tune/configuration.h"
#include "tune/session_prober.h"
#include "tune/space.h"
#include "tune/tune_options.h"

namespace headrace::tune {

struct TunedModel {
  std::string name;
  load::ModelFacts facts{};
  std::string backend{};
  std::string directory{};  // in a repository that is here; "" = it is not
  SearchSpace space{};

  bool batches() const { return facts.batch_size_max > 0; }
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
  std::string path;  // where it belongs; "" = the repository is not here
};

// `archive`: the model is served from it ("" = not).
Result<ConfigFile> ConfigFileFor(const TunedModel& model, const std::string& archive,
                                 const Configuration& winner, std::string_view comment);
// The old file is kept beside it. Nothing where there is no path.
Status WriteConfigFile(const ConfigFile& file);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TUNED_MODEL_H_
