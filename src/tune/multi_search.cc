#include "tune/multi_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "tune/bootstrap.h"
#include "tune/prune.h"
#include "tune/search_state.h"
#include "tune/simulate.h"

namespace headrace::tune {
namespace {

// Parts of the budget by whose end each step is over.
constexpr double kServiceEnd = 0.35, kCapacityEnd = 0.75, kConfirmEnd = 1.0;
constexpr std::size_t kDivisionsMax = 4;
constexpr double kPrecision = 1.05;  // of a mixed load's rate
constexpr int kProbesMax = 9;        // of one division
constexpr int kProbesForAnswer = 5;  // downwards, beyond the time of a division
constexpr int kRounds = 3;           // of A B B A
constexpr double kStepDownMost = 0.8, kStepDownLeast = 0.97;
constexpr double kBeyondPercentile =
    1;  // requests of each model in a probe, SearchState::probe_min

class MultiSearch {
 public:
  MultiSearch(const std::vector<MultiModel>& models, const MultiSearchOptions& options,
              MultiProber& prober, const SearchObserver& observer)
      : models_(models),
        options_(options),
        prober_(prober),
        observer_(observer),
        started_(prober.Now()) {}

  MultiReport Take() {
    double sum = 0;
    for (const MultiModel& model : models_) {
      sum += model.share;
    }
    for (const MultiModel& model : models_) {
      report_.models.push_back(
          {.name = model.name, .target = model.target, .part = model.share / sum});
    }
    std::vector<DividedModel> divided;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      divided.push_back(Choices(i));
    }
    Divide(divided);
    Measure();
    Confirm();
    report_.interrupted = prober_.Stopped();
    report_.elapsed = prober_.Now() - started_;
    return std::move(report_);
  }

 private:
  template <typename... Args>
  void Tell(std::string_view step, fmt::format_string<Args...> format, Args&&... args) {
    if (observer_) {
      observer_({step, fmt::format(format, std::forward<Args>(args)...)});
    }
  }

  Nanos Left(double end) const {
    const auto time = started_ + static_cast<Nanos>(end * static_cast<double>(options_.budget));
    return prober_.Stopped() ? 0 : std::max<Nanos>(0, time - prober_.Now());
  }

  // Service times of one model alone, and what each of its configurations would serve with them.
  DividedModel Choices(std::size_t index) {
    const MultiModel& model = models_[index];
    MultiPart& part = report_.models[index];
    SearchOptions own;
    own.target = model.target;
    own.accuracy_drop_max = options_.accuracy_drop_max;
    own.budget =
        static_cast<Nanos>(static_cast<double>(Left(kServiceEnd)) /
                           static_cast<double>(models_.size() - index) / StepEnds::kServiceTimes);
    const SearchObserver named = [&](const SearchEvent& event) {
      Tell(event.step, "{}: {}", model.name, event.text);
    };
    SearchState state(model.space, own, prober_.model(index), named);
    MeasureServiceTimes(state);
    report_.probe_count += state.report.probe_count;
    part.times = std::move(state.report.times);
    part.cuts = std::move(state.report.cuts);
    for (const std::string& note : state.report.notes) {
      report_.notes.push_back(fmt::format("{}: {}", model.name, note));
    }
    Pruned pruned = Prune(model.space, model.space.All(), part.times,
                          {.target = model.target,
                           .accuracy_drop_max = options_.accuracy_drop_max,
                           .memory_bytes = options_.memory_bytes});
    part.cuts.insert(part.cuts.end(), pruned.cuts.begin(), pruned.cuts.end());
    simulators_.push_back(std::make_unique<Simulator>(
        part.times, SimulationPlan{.target = model.target,
                                   .requests = options_.simulated_requests,
                                   .ahead = model.ahead,
                                   .seed = options_.seed + index}));
    DividedModel divided{.share = model.share};
    for (const Configuration& configuration : pruned.survivors) {
      if (prober_.Stopped()) {
        break;
      }
      const double ceiling =
          part.times.Ceiling({configuration.variant, configuration.shape}, configuration.batch_max);
      divided.choices.push_back(
          {.configuration = configuration,
           .capacity = simulators_.back()->Capacity(configuration),
           .core_seconds = ceiling > 0 ? configuration.shape.cores() / ceiling : 0});
    }
    const auto best =
        std::max_element(divided.choices.begin(), divided.choices.end(),
                         [](const auto& a, const auto& b) { return a.capacity < b.capacity; });
    if (best == divided.choices.end() || best->capacity <= 0) {
      report_.notes.push_back(
          fmt::format("{}: no configuration meets p{:g} <= {} even alone on the machine",
                      model.name, model.target.percentile, DurationText(model.target.sla)));
    } else {
      Tell("simulate", "{}: alone {} with {}", model.name, RateText(best->capacity),
           Describe(best->configuration));
    }
    part.choices = divided.choices;
    return divided;
  }

  void Divide(const std::vector<DividedModel>& divided) {
    std::map<std::pair<std::size_t, Configuration>, std::map<int, double>> known;
    const StretchedCapacity stretched = [&](std::size_t index, const Configuration& configuration,
                                            double factor) {
      // In steps of 5 %, so that a bisection asks for few of them.
      const int step = static_cast<int>(std::ceil(std::log(std::max(1.0, factor)) / 0.05));
      auto& capacities = known[{index, configuration}];
      const auto found = capacities.find(step);
      if (found != capacities.end()) {
        return found->second;
      }
      return capacities[step] =
                 simulators_[index]->Capacity(configuration, std::exp(0.05 * step), 1.05);
    };
    for (Division& division : DivideCores(divided, options_.cores, stretched, kDivisionsMax)) {
      Tell("divide", "{}: {} of all requests", Text(division), RateText(division.rate));
      report_.divisions.push_back({.division = std::move(division)});
    }
  }

  std::string Text(const Division& division) const {
    std::string text;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      text += fmt::format("{}{}: {}", i > 0 ? "; " : "", models_[i].name,
                          Describe(division.configurations[i]));
    }
    return text;
  }

  // The longest that any of the models needs at its part of the rate.
  Nanos ProbeMin(double rate) const {
    constexpr Nanos kPartsOfBudget = 24;
    Nanos shortest = 500 * kMillisecond;
    for (const MultiPart& part : report_.models) {
      const double beyond = kBeyondPercentile / (1 - part.target.percentile / 100);
      const double seconds = beyond / std::max(1e-6, part.part * rate);
      const double most = static_cast<double>(options_.budget) / kPartsOfBudget;
      shortest =
          std::max({shortest, 2 * part.target.sla,
                    static_cast<Nanos>(std::min(most, seconds * static_cast<double>(kSecond)))});
    }
    return shortest;
  }

  // "" = every model met its SLA.
  std::string Missed(const MixSample& sample) const {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const LoadSample& one = sample[i];
      const Target& target = models_[i].target;
      if (one.requests == 0 || one.latency == kNever) {
        return fmt::format("{}: nothing was answered", models_[i].name);
      }
      if (static_cast<double>(one.failures) >
          target.failure_share_max * static_cast<double>(one.requests)) {
        return fmt::format("{}: {} of {} requests failed", models_[i].name, one.failures,
                           one.requests);
      }
      if (one.backlog) {
        return fmt::format("{}: answers fall behind arrivals", models_[i].name);
      }
      if (one.latency > target.sla) {
        return fmt::format("{}: p{:g} {}, and its SLA is {}", models_[i].name, target.percentile,
                           DurationText(one.latency), DurationText(target.sla));
      }
    }
    return {};
  }

  // One probe of a division; false when it could not be made.
  bool Probe(MeasuredDivision& measured, double rate, Nanos duration) {
    auto sample = prober_.Mix(measured.division.configurations, rate, duration);
    ++report_.probe_count;
    if (!sample.ok()) {
      if (!prober_.Stopped()) {
        measured.failure = std::string(sample.status().message());
        Tell("mix", "{}: {}", Text(measured.division), measured.failure);
      }
      return false;
    }
    if (prober_.Stopped()) {
      return false;
    }
    const std::string missed = Missed(*sample);
    answered_ = 0;
    for (const LoadSample& one : *sample) {
      answered_ += one.achieved;
    }
    if (missed.empty()) {
      if (rate > measured.rate) {
        measured.rate = rate;
        measured.at_rate = *std::move(sample);
      }
    } else if (measured.rate_missed == 0 || rate < measured.rate_missed) {
      measured.rate_missed = rate;
      measured.missed = missed;
    }
    Tell("mix", "{} at {}: {}", Text(measured.division), RateText(rate),
         missed.empty() ? "every SLA is met" : missed);
    return true;
  }

  // Bracket and bisection within the time.
  void FindRate(MeasuredDivision& measured, double rate, Nanos time) {
    const Nanos end = prober_.Now() + time;
    for (int i = 0; i < kProbesMax; ++i) {
      const Nanos each = std::max(ProbeMin(rate), time / (kProbesMax + kProbesMax / 2));
      // Without any rate that held there is no answer, so that may take what the confirmation has.
      const bool needed = measured.rate == 0 && i < kProbesForAnswer && Left(kConfirmEnd) >= each;
      if (i > 0 && prober_.Now() + each > end && !needed) {
        return;
      }
      if (!Probe(measured, rate, each)) {
        return;
      }
      if (measured.rate_missed == 0) {
        rate = measured.rate * 1.25;
      } else if (measured.rate == 0) {
        // What an overloaded server answered is what it can take.
        rate = std::clamp(0.9 * answered_, measured.rate_missed / 8, measured.rate_missed / 1.4);
      } else if (measured.rate_missed / measured.rate > kPrecision) {
        rate = std::sqrt(measured.rate * measured.rate_missed);
      } else {
        return;
      }
    }
  }

  void Measure() {
    double bias = 1, best = 0;
    std::size_t left = report_.divisions.size() + 1;
    for (MeasuredDivision& measured : report_.divisions) {
      const Nanos time = Left(kCapacityEnd) / static_cast<Nanos>(left--);
      const double expected = measured.division.rate * bias;
      if (time < ProbeMin(expected) && best > 0) {
        report_.notes.push_back("the budget ended before every division was measured");
        break;
      }
      if (1.15 * expected < best) {
        continue;  // behind by more than predictions are wrong among themselves
      }
      FindRate(measured, 0.9 * expected, time);
      if (measured.rate > best) {
        best = measured.rate;
        bias = measured.rate / measured.division.rate;
      }
    }
    std::stable_sort(report_.divisions.begin(), report_.divisions.end(),
                     [](const auto& a, const auto& b) { return a.rate > b.rate; });
    report_.met = best > 0;
    if (report_.met && Left(kCapacityEnd) > 0) {
      MeasuredDivision found;
      for (std::size_t i = 0; i < models_.size(); ++i) {
        found.division.configurations.push_back({.as_found = true});
      }
      FindRate(found, 0.7 * best, Left(kCapacityEnd));
      report_.as_found = std::move(found);
    }
  }

  struct Contender {
    MeasuredDivision* measured;
    double rate;
    std::vector<double> goodputs{};
    int met = 0;
  };

  void Confirm() {
    if (!report_.met) {
      return;
    }
    std::vector<Contender> contenders = {
        {.measured = &report_.divisions.front(), .rate = report_.divisions.front().rate}};
    if (report_.as_found && report_.as_found->rate > 0) {
      contenders.push_back({.measured = &*report_.as_found, .rate = report_.as_found->rate});
    }
    const std::size_t visits = 2 * contenders.size();
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t i = 0; i < visits; ++i) {
        const auto remaining = static_cast<Nanos>((kRounds - round) * visits - i);
        Visit(contenders[i < contenders.size() ? i : visits - 1 - i],
              Left(kConfirmEnd) / remaining);
      }
    }
    for (Contender& contender : contenders) {
      if (!contender.goodputs.empty()) {
        contender.measured->confirmed = BootstrapMedian(contender.goodputs, options_.seed);
        contender.measured->rate = contender.rate;
      }
      if (contender.met == 0 && !contender.goodputs.empty()) {
        report_.notes.push_back(fmt::format(
            "{}: no visit of the confirmation held every SLA, down to {}: give it a longer "
            "--budget, or a machine with less beside it",
            Text(contender.measured->division), RateText(contender.rate)));
      }
    }
    Compare(contenders);
  }

  void Visit(Contender& contender, Nanos duration) {
    duration = std::min(duration, std::max<Nanos>(10 * kSecond, ProbeMin(contender.rate)));
    if (duration < ProbeMin(contender.rate)) {
      return;
    }
    const auto sample =
        prober_.Mix(contender.measured->division.configurations, contender.rate, duration);
    ++report_.probe_count;
    if (!sample.ok() || prober_.Stopped()) {
      return;
    }
    double goodput = 0;
    for (std::size_t i = 0; i < sample->size(); ++i) {
      goodput += (*sample)[i].goodput;
      if (contender.measured == &report_.divisions.front()) {
        report_.models[i].latencies.push_back((*sample)[i].latency);
      }
    }
    contender.goodputs.push_back(goodput);
    const std::string missed = Missed(*sample);
    Tell("confirm", "{} at {}: {} within the SLAs{}{}", Text(contender.measured->division),
         RateText(contender.rate), RateText(goodput), missed.empty() ? "" : "; ", missed);
    if (missed.empty()) {
      ++contender.met;
      contender.measured->at_rate = *sample;
    } else {
      contender.rate *= std::clamp(goodput / contender.rate, kStepDownMost, kStepDownLeast);
    }
  }

  void Compare(const std::vector<Contender>& contenders) {
    if (contenders.size() < 2 || contenders[0].goodputs.empty() || contenders[1].goodputs.empty() ||
        std::any_of(contenders[1].goodputs.begin(), contenders[1].goodputs.end(),
                    [](double goodput) { return goodput <= 0; })) {
      return;
    }
    report_.gain = BootstrapRatio(contenders[0].goodputs, contenders[1].goodputs, options_.seed);
  }

  const std::vector<MultiModel>& models_;
  const MultiSearchOptions& options_;
  MultiProber& prober_;
  const SearchObserver& observer_;
  const Nanos started_;
  MultiReport report_;
  double answered_ = 0;  // requests per second of the last probe, all models together
  std::vector<std::unique_ptr<Simulator>> simulators_;  // borrow report_.models[i].times
};

}  // namespace

MultiReport SearchSeveral(const std::vector<MultiModel>& models, const MultiSearchOptions& options,
                          MultiProber& prober, const SearchObserver& observer) {
  return MultiSearch(models, options, prober, observer).Take();
}

}  // namespace headrace::tune
