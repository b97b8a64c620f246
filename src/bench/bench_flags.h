// The flags of `headrace bench` as they were written, before they mean anything.
#ifndef HEADRACE_BENCH_BENCH_FLAGS_H_
#define HEADRACE_BENCH_BENCH_FLAGS_H_

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace headrace::bench {

using Text = std::optional<std::string>;  // of a flag that may be missing
using Texts = std::vector<std::string>;   // of one that may come again

struct BenchFlags {
  // Target.
  Text model, version, url, protocol, service_kind, path, control_url, metrics_url;
  Text connections_max, grpc_connections, timeout, connect_timeout, compression;
  Texts headers, model_repositories;
  Text server_library, triton_directory;
  bool streaming = false;
  Text shared_memory, output_shared_memory_size, input_format, output_format;
  bool request_ids = false;
  // TLS.
  bool tls = false;
  Text grpc_use_ssl, ca_file, certificate_file, key_file, verify_peer, verify_host;
  Text certificate_type, key_type;
  // Load.
  Text rate, concurrency, arrivals, burstiness, profile, intervals, time_scale, seed;
  Text rate_range, concurrency_range, distribution, legacy_concurrency;
  bool fixed_schedule = false, binary_search = false, find_capacity = false;
  Text sla, latency_threshold, precision, failure_share_max;
  Text senders, max_threads, outstanding_max;
  // Phases.
  Text duration, requests, warmup, warmup_requests, drain, interval_width, percentile;
  Text measurement_mode, measurement_interval, measurement_request_count;
  bool strict = false;
  // Workload.
  Text batch, string_data, string_length, content_count, content_type, scaling, golden,
      golden_record, mix;
  Text absolute_tolerance, relative_tolerance, priority, request_timeout_us;
  bool no_compare = false, zero_data = false;
  Texts input_data, shapes, outputs, parameters;
  Text sequence_count, sequence_length, sequence_variation, sequence_ids;
  // Server.
  Text metrics_interval, composing_models;
  Texts trace_levels;
  Text trace_rate, trace_count, log_frequency;
  // Output.
  Text name, json, ndjson, csv, export_file, percentiles, trace_file, html;
  Text gate, baseline;
  bool verbose_csv = false, collect_metrics = false, quiet = false;
  int verbosity = 0;

  Texts notes;
  bool help = false;
  std::string help_text;
};

// INVALID_ARGUMENT: an unknown flag, one without its value, or one that is refused.
Result<BenchFlags> ParseBenchFlags(const std::vector<std::string>& arguments);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BENCH_FLAGS_H_
