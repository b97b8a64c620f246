// What a handler's model-config.yaml says of workers that are more than one process or have more
// than one GPU: parallelType, parallelLevel, torchrun (contracts, TorchServe 6.1). Pure.
#ifndef HEADRACE_REPOSITORY_PARALLEL_SETTINGS_H_
#define HEADRACE_REPOSITORY_PARALLEL_SETTINGS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::repository {

struct ParallelSettings {
  std::string type;  // pp, tp, pptp, custom; empty: none
  std::int64_t level =
      0;  // rank_count where there are such processes, else parallelLevel; 0: not said
  // Processes of a worker, as torchrun would start them (parallelType pp, tp, pptp), and
  // OMP_NUM_THREADS of each.
  std::int64_t rank_count = 1;
  std::int64_t rank_thread_count = 1;
  std::int64_t gpus_per_worker = 1;   // one for each process, or parallelLevel
  std::vector<std::string> warnings;  // keys of a wrong type, and those without effect
};

// `json`: the whole file; empty: there is none. HandlerSettings::parallel has what a model's says.
ParallelSettings ReadParallelSettings(std::string_view json);

// The first GPUs of as many groups of `size` neighbours as `gpus` holds: those that workers with
// several GPUs go to in turn. All of them if there are too few for one group.
std::vector<int> FirstOfGroups(const std::vector<int>& gpus, std::int64_t size);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_PARALLEL_SETTINGS_H_
