#include "bench/bench_outputs.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "bench/file_writer.h"
#include "bench/html_report.h"
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
    if (!path->empty()) {
      HEADRACE_RETURN_IF_ERROR(CheckWritable(*path).WithPrefix(fmt::format("{}: ", flag)));
    }
  }
  if (options.ndjson != "-") {
    std::error_code not_a_file;
    std::filesystem::resize_file(options.ndjson, 0, not_a_file);
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
  if (!options.html.empty()) {
    keep(WriteHtmlReport(options.html, document));
  }
  if (!options.trace.empty()) {
    keep(WriteFile(options.trace, RequestTraceJson(document)));
  }
  return first;
}

}  // namespace headrace::bench
