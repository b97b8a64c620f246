// Step 2 of a search: s(b) of each variant and shape.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "tune/assume.h"
#include "tune/search_state.h"

namespace headrace::tune {
namespace {

constexpr Nanos kPointMin = 150 * kMillisecond;
constexpr Nanos kPointMax = 3 * kSecond;
constexpr double kExecutionsWanted = 60, kExecutionsMin = 3;
// Between the two sizes of batch that a bound is made of, another may be so much better.
constexpr double kBoundMargin = 1.2;
// Variants whose potential is this share of the best one's are measured first.
constexpr double kPromisingShare = 0.75;

class ServiceTable {
 public:
  explicit ServiceTable(SearchState& state) : state_(state) {}

  void Run() {
    state_.report.cuts = PruneVariants(state_.space, state_.options.accuracy_drop_max);
    std::vector<std::pair<const Variant*, Shape>> columns;
    std::vector<std::pair<const Variant*, Shape>>
        first;  // single instances: can it be done at all?
    for (const Variant& variant : state_.space.variants) {
      if (variant.accuracy_drop > state_.options.accuracy_drop_max) {
        continue;
      }
      for (const Shape& shape : Ordered(variant)) {
        (shape.instances == 1 ? first : columns).emplace_back(&variant, shape);
      }
    }
    points_left_ = (first.size() + columns.size()) * state_.space.batches.size();
    for (const auto& [variant, shape] : first) {
      Measure(*variant, shape, 1, 1, true);
    }
    LookAgain(first);
    LeaveOutSlowVariants(first);
    columns.insert(columns.end(), first.begin(), first.end());
    std::stable_sort(columns.begin(), columns.end(), [this](const auto& a, const auto& b) {
      return FillsCores(a.second) < FillsCores(b.second);
    });
    // What the budget leaves out should be what is least likely to be the answer: slow variants,
    // and sizes between two that were measured.
    const auto others = std::stable_partition(
        columns.begin(), columns.end(),
        [promising = Promising()](const auto& one) { return promising.contains(one.first); });
    for (const auto& [begin, end] : {std::pair(columns.begin(), others), {others, columns.end()}}) {
      for (const std::size_t offset : {0, 1}) {
        for (auto one = begin; one != end; ++one) {
          Column(*one->first, one->second, offset);
        }
      }
    }
    if (told_) {
      AssumeTheRest(columns);
    }
  }

 private:
  // Shapes that use all cores first, since the best is most often there; then those that want more
  // than there are, then those that leave some idle, most of all last.
  int FillsCores(const Shape& shape) const {
    const int cores = state_.space.limits.cores;
    return shape.cores() == cores ? 0 : shape.cores() > cores ? 1 : 2 + cores - shape.cores();
  }
  std::vector<Shape> Ordered(const Variant& variant) const {
    std::vector<Shape> shapes = state_.space.Shapes(variant);
    std::stable_sort(shapes.begin(), shapes.end(), [this](const Shape& a, const Shape& b) {
      return FillsCores(a) < FillsCores(b);
    });
    return shapes;
  }

  // What as many instances as there are cores for would give, if they did not disturb each other,
  // by what single ones have shown; 0 = nothing is known.
  double Potential(const Variant& variant) const {
    double most = 0;
    for (const auto& [key, column] : state_.report.times.columns()) {
      if (key.variant == variant.name && key.shape.instances == 1) {
        most = std::max(
            most, Most(key.shape) * state_.report.times.Ceiling(key, state_.space.batches.back()));
      }
    }
    return most;
  }
  // The variants that may give the most throughput; to other questions each may be the answer.
  std::set<const Variant*> Promising() const {
    double best = 0;
    for (const Variant& variant : state_.space.variants) {
      best = std::max(best, Potential(variant));
    }
    std::set<const Variant*> promising;
    for (const Variant& variant : state_.space.variants) {
      if (state_.options.objective != Objective::kThroughput ||
          Potential(variant) >= kPromisingShare * best) {
        promising.insert(&variant);
      }
    }
    return promising;
  }

  // A variant is ruled out for good, so not by one look: others may have used the machine just
  // then.
  void LookAgain(const std::vector<std::pair<const Variant*, Shape>>& first) {
    for (const auto& [variant, shape] : first) {
      if (!CanMeet(*variant)) {
        const ServiceTimes::Key key{variant->name, shape};
        const ServiceSample* found = state_.report.times.Find(key, 1);
        if (found != nullptr) {
          const ServiceSample before = *found;
          ++points_left_;
          const Nanos again = Measure(*variant, shape, 1, 1, true);
          if (again == 0 || again > before.tail()) {
            state_.report.times.Add(key, 1, before);
          }
        }
      }
    }
  }

  // A variant that could not give what another one has shown already, even if its instances did
  // not disturb each other. `first`: the variants' shapes of one instance, the widest first.
  void LeaveOutSlowVariants(const std::vector<std::pair<const Variant*, Shape>>& first) {
    if (state_.space.variants.size() < 2 || state_.options.objective != Objective::kThroughput) {
      return;  // slower ones may cost less, or be more accurate
    }
    struct Known {
      double rate = 0;   // that one instance gave, inferences per second
      double bound = 0;  // of as many as there are cores for, with single requests
      double batch_gain = 1;
    };
    std::map<const Variant*, Known> known;
    const Variant* best = nullptr;
    for (const auto& [variant, shape] : first) {
      const ServiceTimes::Key key{variant->name, shape};
      if (state_.report.times.Find(key, 1) == nullptr || !CanMeet(*variant)) {
        continue;
      }
      const bool widest = known.count(variant) == 0;
      Known& one = known[variant];
      const double single = state_.report.times.Ceiling(key, 1);
      one.bound = std::max(one.bound, single * Most(shape));
      if (widest) {
        MeasureLargest(*variant, shape);
        one.batch_gain = state_.report.times.Ceiling(key, state_.space.batches.back()) / single;
      }
      one.rate = std::max(one.rate, state_.report.times.Ceiling(key, state_.space.batches.back()));
      best = best == nullptr || one.rate > known[best].rate ? variant : best;
    }
    const std::vector<Configuration> all = state_.space.All();
    for (const auto& [variant, one] : known) {
      const double most = kBoundMargin * one.batch_gain * one.bound;
      if (most >= known[best].rate) {
        continue;
      }
      state_.hopeless_variants.insert(variant->name);
      const std::string reason =
          fmt::format("can give {} at the very most, and one instance of {} gives {}",
                      RateText(most), best->name, RateText(known[best].rate));
      state_.Tell("prune", "{}: {}", variant->name, reason);
      state_.report.cuts.push_back({CutRule::kCeiling, variant->name, reason,
                                    static_cast<std::size_t>(std::count_if(
                                        all.begin(), all.end(), [&](const Configuration& c) {
                                          return c.variant == variant->name;
                                        }))});
    }
  }

  // So many instances like this one there can be.
  double Most(const Shape& one) const {
    const SpaceLimits& limits = state_.space.limits;
    return one.threads == 0 ? limits.instances_max
                            : std::max(1, limits.cores / std::max(1, one.threads));
  }

  // The largest batch that should still be within the SLA.
  void MeasureLargest(const Variant& variant, const Shape& shape) {
    const Nanos single = state_.report.times.Find({variant.name, shape}, 1)->median();
    std::int64_t largest = 1;
    for (const std::int64_t batch : state_.space.batches) {
      largest = batch * single <= state_.options.target.sla ? batch : largest;
    }
    if (largest > 1) {
      Measure(variant, shape, largest, 1, false);
    }
  }

  // Every second size of batch, from the `offset`th of the space on, until nothing larger can meet
  // the SLA.
  void Column(const Variant& variant, const Shape& shape, std::size_t offset) {
    const std::vector<std::int64_t>& batches = state_.space.batches;
    const ServiceTimes::Key key{variant.name, shape};
    const bool hopeless = !CanMeet(variant) || state_.hopeless_variants.count(variant.name) > 0;
    for (std::size_t i = offset; i < batches.size(); i += 2) {
      if (state_.report.times.Find(key, batches[i]) != nullptr) {
        continue;  // it was counted when it was measured
      }
      if (hopeless || failed_.contains({variant.name, shape}) || TooLong(key, batches[i])) {
        points_left_ -= std::min<std::size_t>(points_left_, 1);
        continue;
      }
      Measure(variant, shape, batches[i], shape.instances, false);
    }
  }

  // Whether a smaller batch takes longer than the SLA already.
  bool TooLong(const ServiceTimes::Key& key, std::int64_t batch) const {
    const ServiceTimes::Column* column = state_.report.times.FindColumn(key);
    return column != nullptr && std::any_of(column->begin(), column->end(), [&](const auto& one) {
             return one.first < batch && one.second.tail() > state_.options.target.sla;
           });
  }

  // Nanoseconds of one execution, by what is known of smaller batches and of one instance with as
  // many threads; rather too long, as batches save something. 0 = nothing is known.
  double Expected(const ServiceTimes::Key& key, std::int64_t batch, int concurrent) const {
    double crowded = 1;
    const ServiceTimes::Column* column = state_.report.times.FindColumn(key);
    if (column == nullptr) {
      Shape single = key.shape;
      single.instances = 1;
      column = state_.report.times.FindColumn({key.variant, single});
      crowded = std::max(1.0, static_cast<double>(concurrent * std::max(1, single.threads)) /
                                  std::max(1, state_.space.limits.cores));
    }
    if (column == nullptr) {
      return 0;
    }
    const auto larger = column->upper_bound(batch);
    const auto& [known, sample] = larger == column->begin() ? *larger : *std::prev(larger);
    return sample.mean * crowded *
           std::max(1.0, static_cast<double>(batch) / static_cast<double>(known));
  }

  // What is measured for a shorter time says nothing: an execution that came out well by chance.
  // And what changing the configuration takes is paid whatever is learned from it.
  Nanos Shortest(double expected) const {
    return std::max({kPointMin, static_cast<Nanos>(kExecutionsMin * expected),
                     std::min(state_.change_cost() / 2, kPointMax)});
  }

  // A probe may still show what a shape gives that there was no time to measure.
  void AssumeTheRest(const std::vector<std::pair<const Variant*, Shape>>& columns) {
    for (const auto& [variant, shape] : columns) {
      if (CanMeet(*variant) && !state_.hopeless_variants.contains(variant->name) &&
          !failed_.contains({variant->name, shape}) &&
          AssumeMissing(state_.report.times, variant->name, shape, state_.space.batches,
                        state_.space.limits.cores)) {
        state_.Tell("service times", "{}{}: larger batches are assumed by another shape",
                    variant->name.empty() ? "" : variant->name + ", ", Describe(shape));
      }
    }
  }

  bool CanMeet(const Variant& variant) const {
    const Nanos lone = state_.report.times.LoneRequest(variant.name);
    return lone == kNever || lone <= state_.options.target.sla;
  }

  // What nearly all of its executions stay below; 0 when it was not measured. `needed`: whatever
  // the budget says, since without it a variant's other shapes would be judged by one.
  Nanos Measure(const Variant& variant, const Shape& shape, std::int64_t batch, int concurrent,
                bool needed) {
    const Nanos left = state_.Left(StepEnds::kServiceTimes);
    const auto points = static_cast<Nanos>(std::max<std::size_t>(1, points_left_));
    points_left_ -= std::min<std::size_t>(points_left_, 1);
    const double expected = Expected({variant.name, shape}, batch, concurrent);
    const Nanos shortest = Shortest(expected);
    if (state_.prober.Stopped() || (left < shortest && !needed)) {
      if (!told_ && !state_.prober.Stopped()) {
        told_ = true;
        state_.report.notes.push_back(
            "the budget ended before every shape's service times were measured: what is missing "
            "was "
            "assumed where another shape of the variant says something of it, and is else not in "
            "the "
            "answer");
      }
      return 0;
    }
    // As long as its share, and no longer than enough executions need.
    const Nanos most =
        std::max(shortest, std::min(left / points - state_.change_cost(), kPointMax));
    const Nanos duration =
        expected > 0 ? std::clamp(static_cast<Nanos>(expected * kExecutionsWanted), shortest, most)
                     : most;
    const Configuration configuration{
        .variant = variant.name, .shape = shape, .batch_max = state_.space.batches.back()};
    const Nanos begin = state_.prober.Now();
    const auto sample = state_.prober.Service(configuration, batch, concurrent, duration);
    state_.CountProbe(begin, duration);
    const std::string name = (variant.name.empty() ? "" : variant.name + ", ") + Describe(shape);
    if (!sample.ok()) {
      failed_.insert({variant.name, shape});
      if (!state_.prober.Stopped()) {
        state_.report.cuts.push_back({CutRule::kFailed, fmt::format("{}: batch {}", name, batch),
                                      std::string(sample.status().message())});
        state_.Tell("service times", "{}, batch {}: {}", name, batch, sample.status().message());
      }
      return 0;
    }
    state_.SawLatency(sample->tail() + sample->overhead,
                      fmt::format("{}, a single request at a time", name));
    state_.Tell("service times", "{}, batch {}: {} (p99 {}), {}", name, batch,
                DurationText(sample->median()), DurationText(sample->p99()),
                RateText(sample->rate));
    const Nanos tail = sample->tail();
    state_.report.times.Add({variant.name, shape}, batch, *sample);
    return tail;
  }

  SearchState& state_;
  std::set<std::pair<std::string, Shape>> failed_;
  std::size_t points_left_ = 0;
  bool told_ = false;
};

}  // namespace

void MeasureServiceTimes(SearchState& state) { ServiceTable(state).Run(); }

}  // namespace headrace::tune
