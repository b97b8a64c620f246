#include "cli/bench_diff.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "bench/diff.h"
#include "bench/gate.h"
#include "bench/result_json.h"

namespace headrace::cli {
namespace {

constexpr int kUsageError = 1;
constexpr int kFailed = 2;
constexpr int kGateMissed = 3;

int Fail(int code, const Status& status) {
  fmt::print(stderr, "headrace bench diff: {}\n", status.message());
  return code;
}

}  // namespace

int BenchDiff(const std::vector<std::string>& arguments) {
  CLI::App app("Compares two results level by level, with 95 % intervals.", "headrace bench diff");
  std::string before_path, after_path, gate_text;
  double least_change = 1;
  bool json = false, quiet = false;
  app.add_option("BEFORE", before_path, "the first result (--json of a run or a suite)")
      ->required();
  app.add_option("AFTER", after_path, "the second")->required();
  app.add_option("--gate", gate_text,
                 "what AFTER must hold, such as 'p99<=+5%,throughput>=-3%'; decides the exit code");
  app.add_option("--least-change", least_change,
                 "percent; what changed by less counts as no difference (1)")
      ->check(CLI::Range(0.0, 1000.0));
  app.add_flag("--json", json, "one JSON object in place of the table");
  app.add_flag("--quiet", quiet, "the exit code alone");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kUsageError;
  }
  std::vector<bench::GateCondition> gate;
  if (!gate_text.empty()) {
    auto parsed = bench::ParseGate(gate_text);
    if (!parsed.ok()) {
      return Fail(kUsageError, parsed.status());
    }
    gate = std::move(*parsed);
  }
  const auto before = bench::ReadResultFile(before_path);
  const auto after = before.ok() ? bench::ReadResultFile(after_path) : before;
  if (!after.ok()) {
    return Fail(kFailed, after.status());
  }
  const bench::DiffResult diff = bench::Diff(*before, *after, least_change / 100);
  if (!quiet) {
    fmt::print("{}{}", json ? bench::DiffJson(diff) : bench::DiffText(diff), json ? "\n" : "");
  }
  if (!gate.empty()) {
    bool met = true;
    for (const bench::GateFinding& finding : bench::CheckGate(gate, &*before, *after)) {
      met &= finding.met;
      if (!quiet || !finding.met) {
        fmt::print(stderr, "gate: {}\n", finding.text);
      }
    }
    return met ? 0 : kGateMissed;
  }
  if (diff.rows.empty()) {
    return Fail(kFailed, NotFound("no level is in both files"));
  }
  if (!quiet && !json) {
    fmt::print("{}\n", diff.any_worse ? "something is worse"
                                      : "nothing is worse; --gate sets other limits");
  }
  return diff.any_worse ? kGateMissed : 0;
}

}  // namespace headrace::cli
