#include "bench/suite_files.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "bench/file_writer.h"
#include "bench/html_report.h"

namespace headrace::bench {
namespace {

namespace fs = std::filesystem;

void ReplaceAll(std::string& text, std::string_view from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string SuiteStatePath(const std::string& folder) { return folder + "/state.jsonl"; }
std::string SuiteLogPath(const std::string& folder) { return folder + "/server.log"; }

Status WriteSuiteFiles(const std::string& folder, const SuiteSpec& spec,
                       const std::vector<SuiteRow>& rows, const SuiteReportHead& head,
                       const ResultDocument& document) {
  HEADRACE_RETURN_IF_ERROR(WriteResultFile(folder + "/result.json", document));
  HEADRACE_RETURN_IF_ERROR(WriteHtmlReport(folder + "/report.html", document));
  HEADRACE_RETURN_IF_ERROR(WriteFile(folder + "/report.md", ReportMarkdown(spec, rows, head)));
  HEADRACE_RETURN_IF_ERROR(WriteFile(folder + "/ab_report.csv", AbCsv(spec, rows)));
  HEADRACE_RETURN_IF_ERROR(WriteFile(folder + "/stats_metrics.json", StatsMetricsJson(spec, rows)));
  for (const SuiteRow& row : rows) {
    if (spec.form != SuiteSpec::Form::kTorchServe || row.result == nullptr) {
      continue;
    }
    const std::string place = folder + "/" + CaseName(spec.models[row.point->model], *row.point);
    std::error_code error;
    if (fs::create_directories(place, error); error) {
      return Unavailable("'{}' cannot be made: {}", place, error.message());
    }
    HEADRACE_RETURN_IF_ERROR(WriteFile(place + "/ab_report.csv", AbCsv(spec, {row})));
  }
  return OkStatus();
}

Status RunSuiteCommand(const std::string& command, const SuiteReportHead& head) {
  std::string text = command;
  ReplaceAll(text, "today()", head.date.substr(0, 10));
  ReplaceAll(text, "version()", head.server_version.substr(head.server_version.rfind(' ') + 1));
  const int status = std::system(text.c_str());
  if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Unavailable("the command '{}' failed with status {}", text,
                       status == -1        ? status
                       : WIFEXITED(status) ? WEXITSTATUS(status)
                                           : 128 + WTERMSIG(status));
  }
  return OkStatus();
}

}  // namespace headrace::bench
