// Writes a report.
#ifndef HEADRACE_BENCH_TEXT_FILE_H_
#define HEADRACE_BENCH_TEXT_FILE_H_

#include <string>
#include <string_view>

#include "base/status.h"

namespace headrace::bench {

// Replaces the file in one step. "-" is the standard output. UNAVAILABLE names the file and the
// system's reason.
Status WriteTextFile(const std::string& path, std::string_view text);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_TEXT_FILE_H_
