// Probes of a real model on a real server.
#ifndef HEADRACE_TUNE_SESSION_PROBER_H_
#define HEADRACE_TUNE_SESSION_PROBER_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bench/session.h"
#include "load/server_control.h"
#include "load/target.h"
#include "load/workload.h"
#include "load/workload_spec.h"
#include "tune/prober.h"
#include "tune/space.h"

namespace headrace::tune {

struct SessionProberOptions {
  load::TargetSpec target;
  load::WorkloadSpec workload;  // of single inferences; `item.batch_size` is the prober's
  // A request can bring a batch of its own: the v2 protocols. Where not (handlers, bodies), batches
  // are those that the server forms.
  bool rows_in_one_request = true;
  bool model_batches = true;
  Target sla;
  std::vector<Nanos> intervals;  // gaps of real traffic; empty = Poisson
  int sender_count = 1;
  std::uint64_t seed = 1;
  bool fresh_loads = false;                 // Restart unloads the model and loads it anew
  const std::atomic<bool>* stop = nullptr;  // borrowed
  std::function<void(const bench::Progress&)> progress;
  std::function<void(const std::string&)> log;  // every change of the configuration
};

// Borrows control and space. Puts the model's configuration back when it is destroyed, or earlier
// by `PutBack`.
class SessionProber final : public Prober {
 public:
  // Asks for the model and takes its configuration as what was found. FAILED_PRECONDITION where the
  // server does not show one, or cannot change it; whatever is wrong with the data of the load.
  static Result<std::unique_ptr<SessionProber>> Make(load::ServerControl& control,
                                                     const SearchSpace& space,
                                                     SessionProberOptions options);
  ~SessionProber() override;

  Nanos Now() override;
  bool Stopped() override;
  Result<ServiceSample> Service(const Configuration& configuration, std::int64_t batch,
                                int concurrent, Nanos duration) override;
  Result<LoadSample> Load(const Configuration& configuration, double rate, Nanos duration) override;
  Result<CapacitySample> Capacity(const Configuration& configuration, double rate_start,
                                  double precision, Nanos time) override;
  Status Restart() override;

  // Makes the server have it, as the probes do.
  Status Change(const Configuration& configuration);
  const SessionProberOptions& options() const { return options_; }
  // The configuration that the server would be given.
  Result<std::string> ConfigJson(const Configuration& configuration) const;
  Status PutBack();
  // The model stays as it is: the winner was applied.
  void Leave() { changed_ = false; }

  // Levels that were run, for the result file; without records.
  const std::vector<bench::LevelResult>& levels() const { return levels_; }

 private:
  SessionProber(load::ServerControl& control, const SearchSpace& space,
                SessionProberOptions options)
      : control_(control), space_(space), options_(std::move(options)) {}

  struct Opened {
    load::Workload workload;
    std::unique_ptr<bench::Session> session;
  };
  Result<bench::Session*> SessionFor(std::int64_t batch);
  // Where the configuration is new, for as long as the probe itself at most.
  Status WarmUpOnce(bench::Session& session, std::int64_t batch, int concurrency,
                    Nanos probe_duration);
  bench::LevelSpec LevelFor(Nanos duration);
  LoadSample Read(const bench::LevelResult& level, double rate) const;

  load::ServerControl& control_;
  const SearchSpace& space_;
  const SessionProberOptions options_;
  std::string found_config_;
  std::optional<Configuration> current_;
  bool changed_ = false;
  std::set<std::int64_t> warm_;  // batches of a request that were sent since the change
  std::map<std::int64_t, std::unique_ptr<Opened>> sessions_;  // by the batch of a request
  std::vector<bench::LevelResult> levels_;
  std::uint64_t level_count_ = 0;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SESSION_PROBER_H_
