// engine_simulator [--seeds N] [--first S]   simulate seeds S .. S+N-1, stop at the first violation
// engine_simulator --seed S [--trace]        one seed, with every event
// engine_simulator --mutants                 every planted bug must be caught
// HEADRACE_SIMULATOR_SEEDS replaces the default number of seeds.
#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/checked_math.h"
#include "engine/simulator/mutants.h"
#include "engine/simulator/sequence_simulation.h"
#include "engine/simulator/simulation.h"

namespace headrace::engine::simulator {
namespace {

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t seeds = HEADRACE_SIMULATOR_SEEDS_DEFAULT;
  bool trace = false;
  bool mutants = false;
};

std::optional<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  if (const char* seeds = std::getenv("HEADRACE_SIMULATOR_SEEDS")) {
    arguments.seeds = ParseDecimal<std::uint64_t>(seeds).value_or(arguments.seeds);
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--trace") {
      arguments.trace = true;
      continue;
    }
    if (flag == "--mutants") {
      arguments.mutants = true;
      continue;
    }
    const auto number = i + 1 < argc ? ParseDecimal<std::uint64_t>(argv[++i]) : std::nullopt;
    if (!number) {
      return std::nullopt;
    }
    if (flag == "--seeds") {
      arguments.seeds = *number;
    } else if (flag == "--first") {
      arguments.first = *number;
    } else if (flag == "--seed") {
      arguments.first = *number;
      arguments.seeds = 1;
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

bool RunSeeds(const Arguments& arguments, const QueueFactory& queue, std::string_view name) {
  std::uint64_t events = 0, requests = 0, batches = 0;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
    const std::uint64_t seed = arguments.first + i;
    const SimulationResult result =
        Simulate({.seed = seed, .trace = arguments.trace, .queue = queue});
    events += result.event_count;
    requests += result.request_count;
    batches += result.batch_count;
    if (!result.violation.empty()) {
      fmt::print("{}: seed {}: {}\nreplay: engine_simulator --seed {} --trace\n", name, seed,
                 result.violation, seed);
      return false;
    }
  }
  fmt::print("{}: {} seeds, {} events, {} requests in {} batches: every rule held\n", name,
             arguments.seeds, events, requests, batches);
  return true;
}

bool RunSequenceSeeds(const Arguments& arguments) {
  std::uint64_t events = 0, requests = 0, batches = 0;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
    const std::uint64_t seed = arguments.first + i;
    const SimulationResult result = SimulateSequences({.seed = seed, .trace = arguments.trace});
    events += result.event_count;
    requests += result.request_count;
    batches += result.batch_count;
    if (!result.violation.empty()) {
      fmt::print("sequences: seed {}: {}\nreplay: engine_simulator --seed {} --trace\n", seed,
                 result.violation, seed);
      return false;
    }
  }
  fmt::print("sequences: {} seeds, {} events, {} requests in {} batches: every rule held\n",
             arguments.seeds, events, requests, batches);
  return true;
}

bool CatchSequenceMutants() {
  bool all = true;
  for (const SequenceMutant& mutant : SequenceMutants()) {
    SimulationResult result;
    std::uint64_t seed = 0;
    while (result.violation.empty() && seed < kMutantSeedsMax) {
      result = SimulateSequences({.seed = ++seed,
                                  .sequences = mutant.sequences,
                                  .lost_wakeup_percent = mutant.lost_wakeup_percent});
    }
    all = all && !result.violation.empty();
    fmt::print("{}: {} by seed {}: {}\n", mutant.name,
               result.violation.empty() ? "NOT caught" : "caught", seed, result.violation);
  }
  return all;
}

bool CatchMutants() {
  bool all = true;
  for (const Mutant& mutant : Mutants()) {
    SimulationResult result;
    std::uint64_t seed = 0;
    while (result.violation.empty() && seed < kMutantSeedsMax) {
      result = Simulate({.seed = ++seed,
                         .queue = mutant.queue,
                         .lost_wakeup_percent = mutant.lost_wakeup_percent});
    }
    if (result.violation.empty()) {
      fmt::print("{}: NOT caught within {} seeds\n", mutant.name, seed);
      all = false;
    } else {
      fmt::print("{}: caught by seed {}: {}\n", mutant.name, seed, result.violation);
    }
  }
  return all;
}

int Main(int argc, char** argv) {
  const std::optional<Arguments> arguments = Parse(argc, argv);
  if (!arguments) {
    fmt::print(
        stderr,
        "usage: engine_simulator [--seeds N] [--first S] | --seed S [--trace] | --mutants\n");
    return 2;
  }
  if (arguments->mutants) {
    // The plain queue without a bug must pass, or its mutants would prove nothing.
    const bool plain = RunSeeds({.seeds = 200}, PlainQueue(), "plain queue");
    const bool queues = CatchMutants();
    return CatchSequenceMutants() && queues && plain ? 0 : 1;
  }
  const bool queue = RunSeeds(*arguments, RealQueue(), "queue");
  return RunSequenceSeeds(*arguments) && queue ? 0 : 1;
}

}  // namespace
}  // namespace headrace::engine::simulator

int main(int argc, char** argv) { return headrace::engine::simulator::Main(argc, argv); }
