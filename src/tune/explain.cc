#include "tune/explain.h"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::tune {
namespace {

// Above it the instances are said to be busy: what is left is the variation of a Poisson load.
constexpr double kBusy = 0.85;

double FactorOf(const Finding& finding) { return finding.rungs > 0 ? finding.estimate.factor : 1; }

// The best that memory cut: its ceiling by arithmetic.
const Cut* MemoryCut(const SearchReport& report) {
  const auto found = std::find_if(report.cuts.begin(), report.cuts.end(),
                                  [](const Cut& cut) { return cut.rule == CutRule::kMemory; });
  return found == report.cuts.end() ? nullptr : &*found;
}

}  // namespace

Why Explain(const Finding& winner, const SearchReport& report, const Simulator& simulator) {
  const std::string rate = RateText(winner.rate());
  if (winner.capacity && winner.capacity->client_bound && winner.capacity->rate_missed == 0) {
    return {
        Binds::kClient,
        fmt::format("the client: at {} the sender itself was late, so the server may do more; send "
                    "from another machine, or with more senders",
                    rate)};
  }
  if (winner.capacity && winner.capacity->failures) {
    return {Binds::kQueue,
            "the queue: above this rate requests are refused before their latency reaches the SLA; "
            "raise max_queue_size, or --queue-request-count-max"};
  }
  const double factor = FactorOf(winner);
  const auto at_rate = simulator.Load(winner.configuration, winner.rate(), factor);
  const double longer = simulator.CapacityWithin(winner.configuration,
                                                 report.target.sla + report.target.sla / 4, factor);
  const double now = simulator.Capacity(winner.configuration, factor);
  const double gain = now > 0 ? longer / now - 1 : 0;
  const Cut* memory = MemoryCut(report);
  if (at_rate.busy_share >= kBusy && gain < 0.1) {
    return {
        Binds::kCompute,
        fmt::format("compute: at {} the instances are busy {:.0f} % of the time with {:.1f} "
                    "inferences in a batch, and an SLA that is a quarter longer would give "
                    "{:.0f} % more; more cores, a smaller precision or a faster variant (headrace "
                    "optimize) would help",
                    rate, at_rate.busy_share * 100, at_rate.batch_mean(), gain * 100)};
  }
  if (memory != nullptr && gain < 0.1) {
    return {Binds::kMemory,
            fmt::format("memory: {} {}; the instances are busy {:.0f} % of the time", memory->what,
                        memory->reason, at_rate.busy_share * 100)};
  }
  return {
      Binds::kSla,
      fmt::format("the SLA: at {} the instances are busy {:.0f} % of the time with {:.1f} "
                  "inferences in a batch; an SLA that is a quarter longer would give {:.0f} % more",
                  rate, at_rate.busy_share * 100, at_rate.batch_mean(), gain * 100)};
}

std::vector<std::string> Advise(const SearchReport& report, const SearchSpace& space) {
  std::vector<std::string> advice;
  if (report.closest_latency == kNever) {
    advice.push_back(
        "nothing could be measured: the reasons are above; see whether the model answers "
        "at all with `headrace bench`");
    return advice;
  }
  const double over =
      static_cast<double>(report.closest_latency) / static_cast<double>(report.target.sla);
  if (over > 1) {
    advice.push_back(
        fmt::format("the lowest p{:g} that was seen is {} ({}), {:.2f} times the SLA: an "
                    "SLA above {} can be met, at a low rate",
                    report.target.percentile, DurationText(report.closest_latency), report.closest,
                    over, DurationText(report.closest_latency + report.closest_latency / 10)));
    advice.push_back(fmt::format("a variant that is {:.1f} times as fast would meet it{}",
                                 over * 1.1,
                                 space.variants.size() > 1 ? "" : ": try `headrace optimize`"));
  } else {
    advice.push_back(
        fmt::format("single requests take {} and meet the SLA, but no load that was tried "
                    "did: give it a longer --budget",
                    DurationText(report.closest_latency)));
  }
  const bool gpu = std::any_of(space.variants.begin(), space.variants.end(),
                               [](const Variant& variant) { return variant.on_gpu; });
  if (!gpu && over > 1) {
    advice.push_back("a GPU was not in the search (--device gpu)");
  }
  const auto accuracy = std::count_if(report.cuts.begin(), report.cuts.end(), [](const Cut& cut) {
    return cut.rule == CutRule::kAccuracy;
  });
  if (accuracy > 0) {
    advice.push_back(
        fmt::format("{} variants were left out for their accuracy (--accuracy-drop)", accuracy));
  }
  return advice;
}

}  // namespace headrace::tune
