// What `headrace tune` was asked to do.
#ifndef HEADRACE_TUNE_TUNE_OPTIONS_H_
#define HEADRACE_TUNE_TUNE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/bench_options.h"
#include "tune/search.h"

namespace headrace::tune {

// One of several models that share a machine.
struct ModelGoal {
  std::string model;
  Target target{};
  double share = 1;                 // of the requests, relative to the others'
  std::vector<std::string> data{};  // its own --input-data; empty = as for all
};

struct TuneOptions {
  std::string model;                      // its name; of several the first
  std::vector<ModelGoal> models;          // two and more; empty with one
  std::string archive;                    // the file that the model is in; "" = none
  std::vector<std::string> repositories;  // a server of our own serves them; empty with `url` alone
  std::string url;                        // a server that runs; "" = one of our own
  std::string management_url, management_token;  // of a TorchServe; "" = bench.control's
  bench::BenchOptions bench;                     // target, data, senders
  SearchOptions search;
  std::int64_t batch_max = 0;  // 0 = the model's
  int instances_max = 0;       // 0 = the cores, at most 8
  int cores = 0;               // 0 = those of this process
  std::vector<Nanos> delays;   // of the queue; empty = parts of the SLA
  std::string device = "cpu";  // "cpu", "gpu" or "both"
  bool variants = true;        // of `headrace optimize`
  bool apply = false;
  bool online = false;  // what is applied has the bounds of the online mode (tune/online.h)
  bool force = false;
  bool quiet = false;
  std::string resume, json, html;  // files; "" = none
  std::vector<std::string> command_line;
  bool help = false;
};

// `arguments` behind the subcommand's name. INVALID_ARGUMENT names the flag and what would be
// right. Flags that are not tune's own go to `headrace bench`'s parser: those of target and data.
Result<TuneOptions> ParseTuneOptions(const std::vector<std::string>& arguments);

std::string TuneHelp();

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TUNE_OPTIONS_H_
