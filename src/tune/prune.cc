#include "tune/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace headrace::tune {
namespace {

std::string NameOf(const ServiceTimes::Key& key) {
  return (key.variant.empty() ? "" : key.variant + ", ") + Describe(key.shape);
}

std::string MemoryText(double bytes) { return fmt::format("{:.0f} MiB", bytes / 1048576); }

// Cuts what a predicate names, and keeps the book.
class Cutter {
 public:
  explicit Cutter(std::vector<Configuration> configurations) {
    pruned_.survivors = std::move(configurations);
  }
  void Cut(CutRule rule, std::string what, std::string reason,
           const std::function<bool(const Configuration&)>& concerns) {
    const std::size_t removed = std::erase_if(pruned_.survivors, concerns);
    if (removed > 0) {
      pruned_.cuts.push_back({rule, std::move(what), std::move(reason), removed});
    }
  }
  Pruned Take() { return std::move(pruned_); }
  const std::vector<Configuration>& survivors() const { return pruned_.survivors; }

 private:
  Pruned pruned_;
};

class Pruner {
 public:
  Pruner(const SearchSpace& space, const std::vector<Configuration>& configurations,
         const ServiceTimes& times, const PruneLimits& limits)
      : space_(space), times_(times), limits_(limits), cutter_(configurations) {}

  Pruned Run() {
    for (const Variant& variant : space_.variants) {
      CutVariant(variant);
    }
    for (const auto& [key, column] : times_.columns()) {
      if (!column.empty()) {
        CutBatches(key, column);
        CutMemory(key, column);
      }
    }
    CutScaling();
    CutUnmeasured();
    CutCeilings();
    return cutter_.Take();
  }

 private:
  using Key = ServiceTimes::Key;

  static bool In(const Configuration& configuration, const Key& key) {
    return configuration.variant == key.variant && configuration.shape == key.shape;
  }

  void CutVariant(const Variant& variant) {
    const Nanos lone = times_.LoneRequest(variant.name);
    if (lone != kNever && lone > limits_.target.sla) {
      cutter_.Cut(CutRule::kSlaAtOne, variant.name.empty() ? "the model" : variant.name,
                  fmt::format("a single request without any load takes {}, and the SLA is {}",
                              DurationText(lone), DurationText(limits_.target.sla)),
                  [&](const Configuration& c) { return c.variant == variant.name; });
    }
  }

  void CutBatches(const Key& key, const ServiceTimes::Column& column) {
    const Nanos sla = limits_.target.sla;
    for (const auto& [batch, sample] : column) {
      const Nanos time = sample.tail() + sample.overhead;
      if (time > sla) {
        cutter_.Cut(
            batch == 1 ? CutRule::kSlaAtOne : CutRule::kSlaOfBatch,
            fmt::format("{}: batch {} and more", NameOf(key), batch),
            fmt::format("one execution takes {}, and the SLA is {}", DurationText(time),
                        DurationText(sla)),
            [&, b = batch](const Configuration& c) { return In(c, key) && c.batch_max >= b; });
        break;
      }
    }
    for (const auto& [batch, sample] : column) {
      const Nanos time = sample.median();
      if (batch > 1 && 2 * time > sla) {
        cutter_.Cut(CutRule::kNoBacklog,
                    fmt::format("{}: batch {} with a delay", NameOf(key), batch),
                    fmt::format("one execution takes {}, and a request may wait for a whole one "
                                "before its own: nothing of {} is left to wait for company",
                                DurationText(time), DurationText(sla)),
                    [&, b = batch](const Configuration& c) {
                      return In(c, key) && c.batch_max == b && c.delay > 0;
                    });
      }
    }
    CutWithoutGain(key, column);
  }

  // By the fast quarter of its executions: what disturbs a short measurement makes a batch look
  // slow, and what is cut here is cut for good. A gain that is not there costs a probe.
  void CutWithoutGain(const Key& key, const ServiceTimes::Column& column) {
    std::int64_t kept = 0;
    double best = 0;  // nanoseconds per inference
    for (const auto& [batch, sample] : column) {
      constexpr double kFast = 0.25;
      const double size = static_cast<double>(batch);
      const double each = std::min(sample.mean, static_cast<double>(sample.Quantile(kFast))) / size;
      if (kept == 0 || each < best * (1 - limits_.gain_min)) {
        best = kept == 0 ? sample.mean / size : std::min(best, sample.mean / size);
        kept = batch;
        continue;
      }
      cutter_.Cut(
          CutRule::kNoGain, fmt::format("{}: batch {}", NameOf(key), batch),
          fmt::format("{} for each inference, {} with batch {}",
                      DurationText(static_cast<Nanos>(sample.mean / size)),
                      DurationText(static_cast<Nanos>(best)), kept),
          [&, b = batch](const Configuration& c) { return In(c, key) && c.batch_max == b; });
    }
  }

  void CutMemory(const Key& key, const ServiceTimes::Column& column) {
    if (limits_.memory_bytes == 0) {
      return;
    }
    for (const auto& [batch, sample] : column) {
      if (sample.memory_bytes > limits_.memory_bytes) {
        cutter_.Cut(
            CutRule::kMemory, fmt::format("{}: batch {} and more", NameOf(key), batch),
            fmt::format("needs {}, and there are {}",
                        MemoryText(static_cast<double>(sample.memory_bytes)),
                        MemoryText(static_cast<double>(limits_.memory_bytes))),
            [&, b = batch](const Configuration& c) { return In(c, key) && c.batch_max >= b; });
        return;
      }
    }
  }

  void CutScaling() {
    for (const Variant& variant : space_.variants) {
      std::vector<int> thread_counts;
      for (const auto& [key, column] : times_.columns()) {
        if (key.variant == variant.name) {
          thread_counts.push_back(key.shape.threads);
        }
      }
      std::sort(thread_counts.begin(), thread_counts.end());
      thread_counts.erase(std::unique(thread_counts.begin(), thread_counts.end()),
                          thread_counts.end());
      for (const int threads : thread_counts) {
        const Usl usl = times_.Scaling(variant.name, threads);
        const double peak = usl.Peak();
        if (usl.x1 <= 0) {
          continue;
        }
        cutter_.Cut(
            CutRule::kScaling,
            fmt::format("{}more than {:.0f} instances{}",
                        variant.name.empty() ? "" : variant.name + ", ", std::max(1.0, peak),
                        threads == 0 ? "" : fmt::format(" of {} threads", threads)),
            fmt::format("throughput falls beyond {:.1f} instances (USL: {:.3f} serial, "
                        "{:.4f} for each pair)",
                        peak, usl.sigma, usl.kappa),
            [&](const Configuration& c) {
              return c.variant == variant.name && c.shape.threads == threads &&
                     c.shape.instances > 1 && c.shape.instances >= 2 * peak;
            });
      }
    }
  }

  void CutUnmeasured() {
    std::map<Key, bool> seen;
    for (const Configuration& c : cutter_.survivors()) {
      seen[{c.variant, c.shape}] = true;
    }
    for (const auto& [key, _] : seen) {
      if (times_.FindColumn(key) == nullptr) {
        cutter_.Cut(CutRule::kFailed, NameOf(key), "its service times could not be measured",
                    [&](const Configuration& c) { return In(c, key); });
        continue;
      }
      const std::int64_t last = times_.FindColumn(key)->rbegin()->first;
      cutter_.Cut(CutRule::kFailed, fmt::format("{}: batches above {}", NameOf(key), last),
                  "their service times were not measured",
                  [&](const Configuration& c) { return In(c, key) && c.batch_max > last; });
    }
  }

  void CutCeilings() {
    if (limits_.verified_rate <= 0) {
      return;
    }
    const std::vector<Configuration> all = cutter_.survivors();
    for (const Configuration& one : all) {
      const double ceiling = times_.Ceiling({one.variant, one.shape}, one.batch_max);
      if (ceiling < limits_.verified_rate) {
        cutter_.Cut(CutRule::kCeiling, Describe(one),
                    fmt::format("can give {} at the very most, and {} are verified",
                                RateText(ceiling), RateText(limits_.verified_rate)),
                    [&](const Configuration& c) { return c == one; });
      }
    }
  }

  const SearchSpace& space_;
  const ServiceTimes& times_;
  const PruneLimits& limits_;
  Cutter cutter_;
};

}  // namespace

std::string_view CutRuleName(CutRule rule) {
  switch (rule) {
    case CutRule::kAccuracy:
      return "accuracy";
    case CutRule::kFailed:
      return "failed";
    case CutRule::kSlaAtOne:
      return "sla_at_one";
    case CutRule::kSlaOfBatch:
      return "sla_of_batch";
    case CutRule::kNoBacklog:
      return "no_backlog";
    case CutRule::kNoGain:
      return "no_gain";
    case CutRule::kScaling:
      return "scaling";
    case CutRule::kMemory:
      return "memory";
    case CutRule::kCeiling:
      return "ceiling";
    case CutRule::kSimulated:
      return "simulated";
    case CutRule::kMeasured:
      return "measured";
    case CutRule::kOutOfTime:
      return "out_of_time";
  }
  return "unknown";
}

Pruned Prune(const SearchSpace& space, const std::vector<Configuration>& configurations,
             const ServiceTimes& times, const PruneLimits& limits) {
  return Pruner(space, configurations, times, limits).Run();
}

std::vector<Cut> PruneVariants(const SearchSpace& space, double accuracy_drop_max) {
  std::vector<Cut> cuts;
  for (const Variant& variant : space.variants) {
    if (variant.accuracy_drop > accuracy_drop_max) {
      cuts.push_back({CutRule::kAccuracy, variant.name,
                      fmt::format("its accuracy is {:.2f} % lower, and {:.2f} % are allowed",
                                  variant.accuracy_drop * 100, accuracy_drop_max * 100)});
    }
  }
  return cuts;
}

}  // namespace headrace::tune
