#include "bench/bench_outputs.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/unique_fd.h"
#include "bench/file_writer.h"
#include "bench/pa_csv.h"
#include "bench/percentile_files.h"
#include "bench/profile_export.h"
#include "bench/request_trace.h"

namespace headrace::bench {

Status CheckOutputs(const OutputOptions& options) {
  for (const auto& [flag, path] :
       {std::pair("--json", &options.json), std::pair("--ndjson", &options.ndjson),
        std::pair("--csv", &options.csv), std::pair("--profile-export-file", &options.profile),
        std::pair("--hgrm", &options.percentiles), std::pair("--trace-file", &options.trace),
        std::pair("--html", &options.html)}) {
    if (path->empty() || *path == "-") {
      continue;
    }
    const bool starts_empty = path == &options.ndjson;
    const UniqueFd file(
        ::open(path->c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (starts_empty ? O_TRUNC : 0), 0644));
    if (!file.valid()) {
      return InvalidArgument("{}: {} cannot be written: {}", flag, *path, std::strerror(errno));
    }
  }
  return OkStatus();
}

Status WriteOutputs(const OutputOptions& options, const ResultDocument& document) {
  Status first;
  const auto keep = [&first](Status status) {
    if (first.ok()) {
      first = std::move(status);
    }
  };
  if (!options.json.empty()) {
    keep(WriteResultFile(options.json, document));
  }
  if (!options.csv.empty()) {
    keep(WritePaCsv(options.csv, document,
                    {.verbose = options.verbose_csv,
                     .metrics = options.metrics_columns && options.verbose_csv,
                     .percentile = options.percentile_column}));
  }
  if (!options.profile.empty()) {
    keep(WriteFile(options.profile, ProfileExportJson(document)));
  }
  if (!options.percentiles.empty()) {
    keep(WritePercentiles(options.percentiles, document));
  }
  if (!options.trace.empty()) {
    keep(WriteFile(options.trace, RequestTraceJson(document)));
  }
  return first;
}

}  // namespace headrace::bench
