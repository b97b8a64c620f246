#include "tune/tune_options.h"

namespace headrace::tune {
namespace {

constexpr char kHelp[] = R"(usage: headrace tune MODEL --sla p99=100ms [options]
       headrace tune A B --sla A:p99=50ms --sla B:p99=200ms [--share A=3,B=1] [options]

Finds the configuration that serves the most within the SLA: max batch, queue delay, instances,
threads, variant. MODEL is a name, or an archive (.mar, .tgz, .tar.gz, .zip). Several models
divide the machine so that the most requests of all, by their shares, are within every SLA.

  --sla [MODEL:]pNN=TIME    the percentile of the latency that must hold; needed for each model
  --share MODEL=N,...       of several models' requests; default: 1 each
  --model-repository DIR    a server of our own serves it; may be given several times
  -u URL                    a server that runs; it must allow loads (--model-control-mode=explicit)
  -i torchserve             ... or a TorchServe, which is changed by its management API:
  --management-url URL      default: port 8081 of the same host
  --management-token KEY    where that API wants one (that of -H is for predictions)
  --budget TIME             default: 5m
  --objective WHAT          throughput (default), cost (fewest cores) or pareto
  --rate N                  requests per second that --objective cost must carry
  --rate-shape SHAPE        poisson (default), or replay FILE: gaps in microseconds, one on a line
  --accuracy-drop SHARE     of variants, against the original; default: 0.5%
  --batch-max N             default: the model's max_batch_size; of archives without a batchSize 32
  --instances-max N         default: as many as cores, at most 8
  --cores N                 that the model may use; default: all of this process
  --delays TIME,...         queue delays; default: 0 and the SLA's 32nd, 10th and 4th part
  --device WHAT             cpu (default), gpu or both
  --memory-max BYTES        that the server may use with the model
  --no-variants             leaves out what `headrace optimize` made
  --apply                   writes the answer: config.pbtxt, or model-config.yaml into the archive;
                            the old file is kept beside it. A server that runs keeps it loaded
  --online                  with --apply: the server goes on to vary queue delay and instances,
                            within what was measured to hold the SLA (docs/tune.md)
  --resume FILE             goes on with what FILE has, and writes what is measured to it
  --force                   tunes a server that others use
  --json FILE, --html FILE  the result for machines and as a page; "-" is the standard output
  --quiet                   no progress
  --seed N                  of arrivals and random data

Target and data as for `headrace bench`: -i, --input-data (of several models: MODEL:DATA), --shape, --string-data, --senders,
--timeout, --metrics-url, ... (headrace bench --help).

Exit codes: 0 ok, 1 usage, 2 failed, 3 nothing meets the SLA, 130 interrupted (what is known is kept).
)";

}  // namespace

std::string TuneHelp() { return kHelp; }

}  // namespace headrace::tune
