// What a suite measures, as its YAML file says it.
//
// Two forms are read (docs/bench.md, "Suites"): our own, and the one of TorchServe's auto_benchmark
// (contracts, TorchServe 10.1): the top-level file with its model files, or a model file alone.
#ifndef HEADRACE_BENCH_SUITE_SPEC_H_
#define HEADRACE_BENCH_SUITE_SPEC_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/arrivals.h"
#include "load/target.h"

namespace headrace::bench {

// Where the models are: a running server, or one that is started for the suite.
struct SuiteServer {
  std::string url;                             // host:port; "" = a server of our own
  std::string metrics_url, management_url;     // "" = the usual ports beside `url`
  std::vector<std::string> repositories;       // of our own server; or
  std::string model_store;                     // TorchServe
  std::vector<std::string> arguments;          // further options of our own server
  std::map<std::string, std::string> headers;  // of every request
  load::Protocol protocol = load::Protocol::kV2Http;
  bool streaming = false;
};

// One model with everything that is tried of it. An empty list leaves the matter as the
// repository has it.
struct SuiteModel {
  std::string name;  // of the point, unique; TorchServe: <mode>_<model>
  std::string model, version;
  std::string url;  // TorchServe: of the archive

  // Configurations: the product of these.
  std::vector<std::string> devices;
  std::vector<std::int64_t> max_batch_sizes;
  std::vector<std::int64_t> delays_us;
  std::vector<int> instances;  // TorchServe: workers
  std::string merge_patch;     // JSON, of each configuration

  // Loads on each of them: request batch sizes x loads, `repeat` times.
  std::vector<std::int64_t> request_batch_sizes{1};
  std::vector<load::ArrivalSpec> loads;
  int repeat = 1;

  Nanos duration = 10 * kSecond;
  std::uint64_t request_count = 0;  // 0 = by time alone
  double interval_width = 0;
  Nanos warmup_max = 5 * kSecond;
  std::uint64_t warmup_request_count = 0;
  Nanos request_timeout = 60 * kSecond;
  double percentile = 99;
  std::optional<Nanos> sla;

  std::vector<std::string> inputs;  // as --input-data takes them; relative ones are resolved
  std::vector<std::string> shapes;  // as --shape takes them
  std::string content_type;
  int attempts = 1;                // to load a configuration
  bool handler_profiling = false;  // three more columns of ab_report.csv
};

struct SuiteSpec {
  enum class Form : std::uint8_t { kOwn, kTorchServe };
  Form form = Form::kOwn;
  std::string file;  // as it was named
  std::string name;
  std::string hardware = "cpu";  // in report.md's title
  SuiteServer server;
  std::vector<SuiteModel> models;  // never empty
  int sender_count = 1;
  std::uint64_t seed = 1;
  // Shell commands, run only where the caller allows it: after each point, and at the end.
  std::string metrics_command, report_command;
  // What is not acted on, and what differs from the original: one sentence each, with file and
  // line.
  std::vector<std::string> warnings;
};

// Reads `path` and the files that it names. NOT_FOUND or INVALID_ARGUMENT with file, line and key.
Result<SuiteSpec> ReadSuite(const std::string& path);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_SPEC_H_
