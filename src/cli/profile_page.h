// A profile's document as a page.
#ifndef HEADRACE_CLI_PROFILE_PAGE_H_
#define HEADRACE_CLI_PROFILE_PAGE_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "profiling/flame_graph.h"

namespace headrace::cli {

// One HTML page that needs nothing beside itself, in the style of the reports of `headrace bench`:
// the flame graph, operators, batches, memory over time, threads, advice. `load_line`: what was
// sent meanwhile; may be empty. INTERNAL where `document` is no profile.
Result<std::string> ProfilePage(std::string_view document, const profiling::FlameFrame& flame,
                                std::string_view load_line);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_PROFILE_PAGE_H_
