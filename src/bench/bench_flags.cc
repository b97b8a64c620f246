#include "bench/bench_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

namespace headrace::bench {
namespace {

struct TextFlag {
  const char* names;  // CLI11's form
  Text BenchFlags::*field;
  const char* value;
  const char* help;
};
struct TextsFlag {
  const char* names;
  Texts BenchFlags::*field;
  const char* value;
  const char* help;
};
struct SwitchFlag {
  const char* names;
  bool BenchFlags::*field;
  const char* help;
};
struct Group {
  const char* name;
  std::vector<TextFlag> texts;
  std::vector<TextsFlag> lists;
  std::vector<SwitchFlag> switches;
};

using F = BenchFlags;

// Names that perf_analyzer has are among those of the flags that mean the same.
std::vector<Group> Groups() {
  return {
      {"Target",
       {{"-m,--model,--model-name", &F::model, "NAME", "the model that is sent requests"},
        {"-x,--model-version", &F::version, "VERSION", "its version; default: the latest"},
        {"-u,--url", &F::url, "URL", "HOST:PORT, http(s)://HOST:PORT or unix:/path"},
        {"-i,--protocol", &F::protocol, "PROTOCOL",
         "http, grpc, torchserve, v1, invocations, raw, in-process; default: http"},
        {"--service-kind", &F::service_kind, "KIND",
         "perf_analyzer's: triton, torchserve, triton_c_api (= -i in-process)"},
        {"--path", &F::path, "PATH", "-i raw: the request target"},
        {"--control-url", &F::control_url, "URL",
         "where the server's HTTP side is, if requests go by gRPC"},
        {"--metrics-url", &F::metrics_url, "URL", "the metrics page; default: port 8002"},
        {"--connections-max", &F::connections_max, "N", "HTTP: of each sender; default: 1024"},
        {"--grpc-connections", &F::grpc_connections, "N", "gRPC: of each sender; default: 1"},
        {"--timeout", &F::timeout, "TIME", "a request without an answer has failed; default: 60s"},
        {"--connect-timeout", &F::connect_timeout, "TIME", "default: 5s"},
        {"--shared-memory", &F::shared_memory, "KIND", "none or system"},
        {"--output-shared-memory-size", &F::output_shared_memory_size, "BYTES",
         "of each output; default: 102400"},
        {"--input-tensor-format", &F::input_format, "FORMAT", "HTTP: binary or json"},
        {"--output-tensor-format", &F::output_format, "FORMAT", "HTTP: binary or json"},
        {"--grpc-compression-algorithm", &F::compression, "NAME", "none, gzip or deflate"},
        {"--server-library", &F::server_library, "FILE",
         "-i in-process: a libtritonserver.so; default: this program's own"},
        {"--triton-server-directory", &F::triton_directory, "DIR", "the same, by its directory"}},
       {{"-H,--header", &F::headers, "NAME:VALUE", "added to each HTTP request"},
        {"--model-repository", &F::model_repositories, "DIR", "-i in-process: where models lie"}},
       {{"--streaming", &F::streaming, "gRPC: over bidirectional streams"},
        {"--request-ids", &F::request_ids, "HTTP: each request has an id of its own"}}},
      {"TLS",
       {{"--ssl-grpc-use-ssl", &F::grpc_use_ssl, "BOOL", "gRPC over TLS"},
        {"--ca,--ssl-https-ca-certificates-file,--ssl-grpc-root-certifications-file", &F::ca_file,
         "FILE", "PEM; default: the system's"},
        {"--certificate,--ssl-https-client-certificate-file,--ssl-grpc-certificate-chain-file",
         &F::certificate_file, "FILE", "the client's certificate, PEM"},
        {"--key,--ssl-https-private-key-file,--ssl-grpc-private-key-file", &F::key_file, "FILE",
         "its key, PEM"},
        {"--ssl-https-verify-peer", &F::verify_peer, "0|1", "default: 1"},
        {"--ssl-https-verify-host", &F::verify_host, "0|1|2", "default: 2"},
        {"--ssl-https-client-certificate-type", &F::certificate_type, "TYPE", "PEM"},
        {"--ssl-https-private-key-type", &F::key_type, "TYPE", "PEM"}},
       {},
       {{"--tls", &F::tls, "connect over TLS (as https:// does)"}}},
      {"Load",
       {{"--rate", &F::rate, "R|S:E:STEP",
         "open loop: requests per second. Without --rate and --concurrency: a short closed probe, "
         "then 50, 70 and 90 % of what it got"},
        {"--concurrency", &F::concurrency, "N|S:E:STEP",
         "closed loop: so many requests are out at all times; what a stall makes wait is not seen"},
        {"--request-rate-range", &F::rate_range, "S:E:STEP",
         "perf_analyzer's: --rate with constant gaps"},
        {"--concurrency-range", &F::concurrency_range, "S:E:STEP",
         "perf_analyzer's --concurrency; E = 0: until the SLA is missed"},
        {"-t", &F::legacy_concurrency, "N", "perf_analyzer's old --concurrency"},
        {"--arrivals", &F::arrivals, "KIND", "open loop: poisson, constant or gamma"},
        {"--request-distribution", &F::distribution, "KIND", "perf_analyzer's --arrivals"},
        {"--burstiness", &F::burstiness, "K", "shape of gamma gaps; below 1: bursts"},
        {"--profile", &F::profile, "T:F,...", "the rate over time, as factors: 0s:0.5,10s:2"},
        {"--replay,--request-intervals", &F::intervals, "FILE",
         "recorded traffic: gaps in us, a CSV of seconds, a trace, a profile export"},
        {"--time-scale", &F::time_scale, "X", "of --replay and --fixed-schedule; 2 = half as fast"},
        {"--seed", &F::seed, "N", "of all that is random; default: 1"},
        {"--sla", &F::sla, "pNN=TIME", "p99=100ms: goodput counts against it, searches keep it"},
        {"-l,--latency-threshold", &F::latency_threshold, "MS", "perf_analyzer's --sla"},
        {"--precision", &F::precision, "PART", "of --find-capacity; default: 3%"},
        {"--failure-share-max", &F::failure_share_max, "PART",
         "more failures miss the SLA; default: 0.1%"},
        {"--senders", &F::senders, "N", "threads that send; default: by the processors"},
        {"--max-threads", &F::max_threads, "N", "perf_analyzer's: at most so many senders"},
        {"--outstanding-max", &F::outstanding_max, "N", "requests out at a time; default: 100000"}},
       {},
       {{"--find-capacity", &F::find_capacity, "the highest rate within --sla"},
        {"--fixed-schedule", &F::fixed_schedule,
         "sends each entry of --input-data at its \"timestamp\" (milliseconds), once"},
        {"--binary-search", &F::binary_search, "bisect the range instead of going through it"}}},
      {"Phases",
       {{"--duration", &F::duration, "TIME", "measured for so long at most; default: 10s"},
        {"-p,--measurement-interval", &F::measurement_interval, "MS", "perf_analyzer's --duration"},
        {"-n,--requests,--request-count", &F::requests, "N", "measured so many requests"},
        {"--measurement-mode", &F::measurement_mode, "MODE",
         "perf_analyzer's: time_windows, or count_windows (--measurement-request-count)"},
        {"--measurement-request-count", &F::measurement_request_count, "N",
         "of count_windows; default: 50"},
        {"--warmup", &F::warmup, "TIME",
         "at most; ends when the median no longer moves; default: 5s"},
        {"--warmup-requests,--warmup-request-count", &F::warmup_requests, "N",
         "warm up with so many requests"},
        {"--drain", &F::drain, "TIME", "wait so long for what is out at the end; default: 10s"},
        {"--interval-width", &F::interval_width, "PART",
         "stop once the percentile's 95 % interval is so narrow: 5%"},
        {"--percentile", &F::percentile, "NN", "that rules and verdicts look at; default: 99"}},
       {},
       {{"--strict", &F::strict, "a verdict that is not clean ends with exit code 2"}}},
      {"Inputs",
       {{"-b,--batch-size", &F::batch, "N", "inferences in one request; default: 1"},
        {"--string-data", &F::string_data, "TEXT", "every string that would be random"},
        {"--string-length", &F::string_length, "BYTES", "of random strings; default: 128"},
        {"--content-count", &F::content_count, "N", "different random contents; default: 4"},
        {"--content-type", &F::content_type, "TYPE", "of bodies; default: by the file's name"},
        {"--scaling", &F::scaling, "NAME", "of images: unit, none, inception, imagenet"},
        {"--golden", &F::golden, "FILE", "answers that are right; others fail as wrong"},
        {"--golden-record", &F::golden_record, "FILE",
         "writes the server's answers to each content as what --golden reads, and measures "
         "nothing"},
        {"--atol", &F::absolute_tolerance, "X", "of --golden; default: 1e-5"},
        {"--rtol", &F::relative_tolerance, "X", "of --golden; default: 1e-5"},
        {"--mix", &F::mix, "FILE", "YAML: several kinds of requests, by weight"},
        {"--priority", &F::priority, "N", "of each request"},
        {"--request-timeout-us", &F::request_timeout_us, "US", "that the server is given"},
        {"--num-of-sequences", &F::sequence_count, "N", "sequences that are open at a time"},
        {"--sequence-length", &F::sequence_length, "N", "requests of a sequence; default: 20"},
        {"--sequence-length-variation", &F::sequence_variation, "PERCENT", "default: 20"},
        {"--sequence-id-range", &F::sequence_ids, "START:END", "END is not used itself"}},
       {{"--input-data", &F::input_data, "DATA",
         "random, zero, a file, a directory, perf_analyzer's JSON, or NAME=one of these"},
        {"--shape", &F::shapes, "NAME:D,D,...", "of an input that the model leaves open"},
        {"--output", &F::outputs, "NAME", "asked for; default: all"},
        {"--request-parameter", &F::parameters, "NAME:VALUE:TYPE", "of each request"}},
       {{"--no-compare", &F::no_compare, "answers that come with the data are not compared"},
        {"-z", &F::zero_data, "perf_analyzer's old --input-data zero"}}},
      {"Server",
       {{"--metrics-interval", &F::metrics_interval, "MS",
         "between looks at the metrics page; 0 = none; default: 1000"},
        {"--bls-composing-models", &F::composing_models, "A,B",
         "models whose statistics are read, too"},
        {"--trace-rate", &F::trace_rate, "N", "the server's trace setting"},
        {"--trace-count", &F::trace_count, "N", "the same"},
        {"--log-frequency", &F::log_frequency, "N", "the same"}},
       {{"--trace-level", &F::trace_levels, "LEVEL", "the server's trace setting"}},
       {}},
      {"Output",
       {{"--name", &F::name, "NAME", "of the run, in its files"},
        {"--json", &F::json, "FILE|-", "everything, with the environment (docs/bench.md)"},
        {"--ndjson", &F::ndjson, "FILE|-", "one line for each level as it ends"},
        {"-f,--csv,--filename", &F::csv, "FILE|-", "perf_analyzer's table"},
        {"--profile-export-file", &F::export_file, "FILE", "perf_analyzer's JSON of each request"},
        {"--hgrm", &F::percentiles, "FILE", "HdrHistogram's percentiles"},
        {"--trace-file", &F::trace_file, "FILE", "sampled requests for Perfetto"},
        {"--html", &F::html, "FILE", "one page with plots"},
        {"--gate", &F::gate, "EXPR",
         "what each level must hold, such as 'p99<=+5%,failures<=0.1%'; exit code 3 is a missed "
         "one"},
        {"--baseline", &F::baseline, "FILE", "the --json of a run that --gate compares with"}},
       {},
       {{"--verbose-csv", &F::verbose_csv, "more columns in --csv"},
        {"--collect-metrics", &F::collect_metrics,
         "with --verbose-csv: columns of GPUs (the metrics page is always read)"},
        {"-q,--quiet", &F::quiet, "no progress and no table"}}},
  };
}

// Flags of perf_analyzer that are taken and do nothing here, with the reason.
struct IgnoredFlag {
  const char* names;
  bool takes_value;
  const char* reason;
};
constexpr IgnoredFlag kIgnored[] = {
    {"-a,--async", false, "requests are always sent without waiting"},
    {"--sync", false, "requests are always sent without waiting; --concurrency limits them"},
    {"-s,--stability-percentage", true,
     "no result is thrown away: whether a level is stable stands in its verdict"},
    {"-r,--max-trials", true, "a level is measured once, with an interval; see --duration"},
    {"--serial-sequences", false, "one request of a sequence is out at a time, always"},
    {"--model-signature-name", true, "it is TensorFlow Serving's"},
};

// Flags of perf_analyzer that ask for what this does not do.
constexpr IgnoredFlag kRefused[] = {
    {"--endpoint", true,
     "there is no OpenAI client here; send its bodies with -i raw --path /v1/chat/completions "
     "--input-data FILE"},
    {"--periodic-concurrency-range", true,
     "load that grows with time is --rate R --profile 0s:0.1,10s:1"},
    {"--request-period", true, "load that grows with time is --rate R --profile 0s:0.1,10s:1"},
    {"--session-concurrency", true, "sessions of a chat are not known here"},
    {"--grpc-method", true, "other gRPC services than inference are not called"},
    {"-c", true, "write --concurrency-range 1:N --latency-threshold MS"},
    {"-d", false, "write --concurrency-range 1:0 --latency-threshold MS"},
    {"--enable-mpi", false, "start one load generator on each machine, and join their results"},
};

std::string FirstName(const char* names) {
  const std::string_view all = names;
  const std::size_t last = all.rfind(',');
  return std::string(last == std::string_view::npos ? all : all.substr(last + 1));
}

void AddGroup(const Group& group, BenchFlags& flags, CLI::App& app) {
  for (const TextFlag& flag : group.texts) {
    app.add_option(flag.names, flags.*flag.field, flag.help)
        ->group(group.name)
        ->type_name(flag.value)
        ->take_last();
  }
  for (const TextsFlag& flag : group.lists) {
    app.add_option(flag.names, flags.*flag.field, flag.help)
        ->group(group.name)
        ->type_name(flag.value)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
  }
  for (const SwitchFlag& flag : group.switches) {
    app.add_flag(flag.names, flags.*flag.field, flag.help)->group(group.name);
  }
}

std::vector<CLI::Option*> AddUnused(const IgnoredFlag* first, const IgnoredFlag* last,
                                    CLI::App& app) {
  std::vector<CLI::Option*> options;
  for (; first != last; ++first) {
    CLI::Option* const option = app.add_option(first->names)->group("");
    if (first->takes_value) {
      option->expected(1)->allow_extra_args(false)->take_last();
    } else {
      option->expected(0);
    }
    options.push_back(option);
  }
  return options;
}

}  // namespace

Result<BenchFlags> ParseBenchFlags(const std::vector<std::string>& arguments) {
  BenchFlags flags;
  CLI::App app(
      "Measures a server. The load is open unless --concurrency says otherwise: requests are sent "
      "when they\nare due, and latency counts from then.",
      "headrace bench");
  app.set_help_flag();
  for (const Group& group : Groups()) {
    AddGroup(group, flags, app);
  }
  app.add_flag("-h,--help", flags.help, "this text")->group("Output");
  app.add_flag("-v,--verbose", flags.verbosity, "more of each level; -v -v: each second")
      ->group("Output");
  app.add_option("--data-directory", flags.input_data)->group("");
  const auto ignored = AddUnused(std::begin(kIgnored), std::end(kIgnored), app);
  const auto refused = AddUnused(std::begin(kRefused), std::end(kRefused), app);
  app.get_formatter()->column_width(36);
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return InvalidArgument("{}; `headrace bench --help` lists the flags", error.what());
  }
  for (std::size_t i = 0; i < refused.size(); ++i) {
    if (refused[i]->count() > 0) {
      return InvalidArgument("{} is not taken: {}", FirstName(kRefused[i].names),
                             kRefused[i].reason);
    }
  }
  for (std::size_t i = 0; i < ignored.size(); ++i) {
    if (ignored[i]->count() > 0) {
      flags.notes.push_back(fmt::format("{} does nothing here: {}", FirstName(kIgnored[i].names),
                                        kIgnored[i].reason));
    }
  }
  if (flags.help) {
    flags.help_text = app.help();
  }
  return flags;
}

}  // namespace headrace::bench
