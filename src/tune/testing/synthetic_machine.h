// A machine and a model whose every answer is known, on a virtual clock.
#ifndef HEADRACE_TUNE_TESTING_SYNTHETIC_MACHINE_H_
#define HEADRACE_TUNE_TESTING_SYNTHETIC_MACHINE_H_

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "tune/prober.h"
#include "tune/space.h"

namespace headrace::tune {

struct MachineSpec {
  int cores = 4;
  // One execution on one thread: tau + alpha b.
  double tau_ms = 2, alpha_ms = 2;
  double serial_share = 0.1;        // of an execution that more threads do not shorten
  double cost_of_others = 0.03;     // how much each other busy instance slows one
  double oversubscribed = 1.0;      // a factor where instances x threads exceed the cores
  std::int64_t cliff_batch = 1000;  // from it on executions take `cliff_factor` times as long
  double cliff_factor = 1.5;
  double jitter = 0.05;                             // of each execution, up and down
  double open_loop_factor = 1.0;                    // what the closed loop does not see
  std::map<std::string, double> variant_factors{};  // of time; others 1
  // Others use the machine so long from the start, and closed loops take so many times as long.
  double disturbed_seconds = 0, disturbed_factor = 10;
  double change_seconds = 0.5;                         // of a changed configuration
  double warm_up_executions = 0;                       // of each size of batch, then
  std::function<bool(const Configuration&)> broken{};  // does not load
  std::uint64_t memory_each = std::uint64_t{100} << 20;
  Configuration as_found{.shape = {.instances = 1, .threads = 1}};
  std::uint64_t seed = 1;  // of all that is drawn
};

class SyntheticMachine : public Prober {
 public:
  SyntheticMachine(MachineSpec spec, Target target)
      : spec_(std::move(spec)), target_(target), seed_(spec_.seed) {}

  Nanos Now() override { return now_; }
  bool Stopped() override { return stop_at_ && now_ >= *stop_at_; }
  Result<ServiceSample> Service(const Configuration& configuration, std::int64_t batch,
                                int concurrent, Nanos duration) override;
  Result<LoadSample> Load(const Configuration& configuration, double rate, Nanos duration) override;
  Result<CapacitySample> Capacity(const Configuration& configuration, double rate_start,
                                  double precision, Nanos time) override;

  // Without noise of short probes; what a grid would find given all the time.
  double TrueCapacity(const Configuration& configuration) const;
  // The same of the best of all; those that cannot be it by their ceiling are not looked at.
  double BestCapacity(const SearchSpace& space) const;
  // What an exhaustive grid takes: for each configuration so many probes.
  Nanos GridTime(const SearchSpace& space, int probes, Nanos each) const;

  void StopAt(Nanos time) { stop_at_ = time; }
  int load_count() const { return load_count_; }
  const MachineSpec& spec() const { return spec_; }

 private:
  const Configuration& Resolve(const Configuration& configuration) const {
    return configuration.as_found ? spec_.as_found : configuration;
  }
  // Of `concurrent` busy instances; nanoseconds.
  double Execution(const Configuration& configuration, std::int64_t batch, int concurrent) const;
  Status Change(const Configuration& configuration);
  void WarmUp(const Configuration& configuration, std::int64_t batch, int concurrent);

  const MachineSpec spec_;
  const Target target_;
  Nanos now_ = kSecond;
  std::optional<Nanos> stop_at_;
  std::optional<Configuration> current_;
  std::set<std::int64_t> warm_;  // sizes of batch
  int load_count_ = 0;
  std::uint64_t seed_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TESTING_SYNTHETIC_MACHINE_H_
