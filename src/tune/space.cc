#include "tune/space.h"

#include <algorithm>
#include <utility>

namespace headrace::tune {

const Variant* SearchSpace::Find(std::string_view name) const {
  const auto found = std::find_if(variants.begin(), variants.end(),
                                  [name](const Variant& variant) { return variant.name == name; });
  return found == variants.end() ? nullptr : &*found;
}

std::vector<Shape> SearchSpace::Shapes(const Variant& variant) const {
  std::vector<Shape> shapes;
  const auto add = [&](Shape shape) {
    if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) {
      shapes.push_back(shape);
    }
  };
  // Few cores are counted one by one: three of four are a quarter more than two.
  constexpr int kFewCores = 4;
  const auto next = [&](int k) {
    return limits.cores <= kFewCores && !variant.on_gpu ? k + 1 : 2 * k;
  };
  if (variant.on_gpu || variant.thread_parameter.empty()) {
    const int most =
        variant.on_gpu ? limits.instances_max : std::min(limits.instances_max, limits.cores);
    for (int k = 1; k <= std::max(1, most); k = next(k)) {
      add({.instances = k, .threads = 0});
    }
    return shapes;
  }
  for (int threads = 1; threads <= limits.cores; ++threads) {
    if (limits.cores % threads != 0) {
      continue;
    }
    const int fit = std::min(limits.instances_max, limits.cores / threads);
    for (int k = 1; k < fit; k = next(k)) {
      add({.instances = k, .threads = threads});
    }
    add({.instances = fit, .threads = threads});
  }
  // Asked for more instances than cores: twice as many fill the gaps between executions.
  if (limits.instances_max > limits.cores) {
    add({.instances = std::min(limits.instances_max, 2 * limits.cores), .threads = 1});
  }
  return shapes;
}

std::vector<Configuration> SearchSpace::All() const {
  std::vector<Configuration> all;
  for (const Variant& variant : variants) {
    for (const Shape& shape : Shapes(variant)) {
      for (const std::int64_t batch : batches) {
        for (const Nanos delay : delays) {
          if (batch > 1 || delay == 0) {
            all.push_back(
                {.variant = variant.name, .shape = shape, .batch_max = batch, .delay = delay});
          }
        }
      }
    }
  }
  return all;
}

SearchSpace MakeSpace(std::vector<Variant> variants, const SpaceLimits& limits) {
  SearchSpace space{
      .variants = std::move(variants), .batches = {1}, .delays = {0}, .limits = limits};
  for (std::int64_t batch = 2; batch <= limits.batch_max; batch *= 2) {
    space.batches.push_back(batch);
  }
  if (limits.batch_max > space.batches.back()) {
    space.batches.push_back(limits.batch_max);
  }
  if (limits.batch_max <= 1) {
    return space;
  }
  for (const int part : {32, 10, 4}) {
    // Whole 100 us: nobody can tell finer ones apart, and people read them.
    const Nanos delay = limits.sla / part / (100 * kMicrosecond) * (100 * kMicrosecond);
    if (delay > space.delays.back()) {
      space.delays.push_back(delay);
    }
  }
  return space;
}

}  // namespace headrace::tune
