// What a server says of a measured phase: its counters before and after.
#ifndef HEADRACE_BENCH_SERVER_FIGURES_H_
#define HEADRACE_BENCH_SERVER_FIGURES_H_

#include <map>
#include <string>
#include <vector>

#include "bench/level.h"
#include "load/server_control.h"
#include "load/workload.h"

namespace headrace::bench {

// By model. Versions are added up, or one of them where the workload names it.
using StatisticsByModel = std::map<std::string, load::ModelStatistics>;

// Asks for the models of one workload and, of ensembles, for the models that they are made of.
// Blocks; one thread.
class StatisticsReader {
 public:
  // Both borrowed; `control` may be null: then nothing is ever read.
  StatisticsReader(load::ServerControl* control, const load::Workload& workload,
                   const std::vector<std::string>& further_models = {});

  // What could not be read is left out.
  StatisticsByModel Read();

 private:
  void AddModel(const std::string& model, const std::string& version);

  load::ServerControl* const control_;
  std::map<std::string, std::string> versions_;  // of each model that is asked for; "" = all
};

std::map<std::string, ServerFigures> Difference(const StatisticsByModel& before,
                                                const StatisticsByModel& after);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SERVER_FIGURES_H_
