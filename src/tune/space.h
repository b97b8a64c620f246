// What is searched: pure.
#ifndef HEADRACE_TUNE_SPACE_H_
#define HEADRACE_TUNE_SPACE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "tune/configuration.h"

namespace headrace::tune {

// A form of the model: the one that is there, or one that `headrace optimize` made.
struct Variant {
  std::string name{};       // "" = the only one
  std::string precision{};  // "fp32", "int8", ...; "" = not known
  bool on_gpu = false;
  double accuracy_drop = 0;  // against the original, as a part of 1
  // Value of the model's parameter `model_variants` (docs/optimize.md); "" = it is left as it is.
  std::string choice{};
  // JSON merge patch of the model's configuration beside that; "" = none.
  std::string config_patch{};
  // How the backend is told its threads (repository/thread_parameters.h); "" = it cannot be told.
  std::string thread_parameter{};
};

struct SpaceLimits {
  std::int64_t batch_max = 1;  // 0 or 1: the model does not batch
  int instances_max = 4;
  int cores = 1;  // that instances may use together
  Nanos sla = 100 * kMillisecond;
};

struct SearchSpace {
  std::vector<Variant> variants{};
  std::vector<std::int64_t> batches{};  // ascending, from 1
  std::vector<Nanos> delays{};          // ascending, from 0
  SpaceLimits limits{};

  const Variant* Find(std::string_view name) const;
  // Instances x threads <= cores, threads a divisor of the cores: on a CPU k x t = cores is the
  // ridge, and what is below it saves cores; where instances_max is above the cores, twice as many
  // of one thread, too. Where threads cannot be told, instances up to the cores. On a GPU:
  // instances alone.
  std::vector<Shape> Shapes(const Variant& variant) const;
  // All of it: what an exhaustive grid would measure.
  std::vector<Configuration> All() const;
};

SearchSpace MakeSpace(std::vector<Variant> variants, const SpaceLimits& limits);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SPACE_H_
