// How several models divide the machine: pure.
#ifndef HEADRACE_TUNE_MULTI_DIVISION_H_
#define HEADRACE_TUNE_MULTI_DIVISION_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tune/configuration.h"

namespace headrace::tune {

// A configuration that a model could have, and what it serves within its own SLA while it has its
// cores to itself.
struct DivisionChoice {
  Configuration configuration{};
  double capacity = 0;      // requests per second
  double core_seconds = 0;  // that one inference keeps cores busy
};

struct DividedModel {
  double share = 1;  // of the requests, relative to the others'
  std::vector<DivisionChoice> choices{};
};

struct Division {
  std::vector<Configuration> configurations{};  // by model
  double rate = 0;                              // of all requests together that it is to serve
  int cores = 0;                                // of all instances; above the machine's: shared
};

// What model `index` serves with a configuration whose executions take `factor` times as long.
using StretchedCapacity =
    std::function<double(std::size_t index, const Configuration& configuration, double factor)>;

// The best `count_max` at most, best first. Two kinds:
// - Each model has cores of its own. A rate R needs of each model the fewest cores that carry its
//   share of R; the highest R whose sum fits the machine wins, and lower ones follow it.
// - All share the cores (each model has its best choice of at most so many). A model then finds the
//   cores busy with the others' inferences, so its executions are stretched by what it wants over
//   what they leave; R is the highest at which every model still carries its share, and of which
//   no more than nine tenths of the cores are used.
// Empty: some model has no choice at all.
std::vector<Division> DivideCores(const std::vector<DividedModel>& models, int cores,
                                  const StretchedCapacity& stretched, std::size_t count_max);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_DIVISION_H_
