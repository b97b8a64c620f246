#include "bench/percentile_files.h"

#include <fmt/format.h>

#include "bench/file_writer.h"

namespace headrace::bench {

Status WritePercentiles(const std::string& path, const ResultDocument& document) {
  constexpr double kMillisecondNs = 1e6;
  const std::size_t slash = path.rfind('/');
  std::size_t dot = path.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) {
    dot = path.size();
  }
  for (std::size_t i = 0; i < document.levels.size(); ++i) {
    const std::string name =
        document.levels.size() == 1
            ? path
            : fmt::format("{}.{}{}", path.substr(0, dot), i + 1, path.substr(dot));
    HEADRACE_RETURN_IF_ERROR(
        WriteFile(name, document.levels[i].response_time.histogram.PercentileText(kMillisecondNs)));
  }
  return OkStatus();
}

}  // namespace headrace::bench
