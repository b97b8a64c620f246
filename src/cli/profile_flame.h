// A profile's flame graph as a picture. Pure.
#ifndef HEADRACE_CLI_PROFILE_FLAME_H_
#define HEADRACE_CLI_PROFILE_FLAME_H_

#include <string>

#include "profiling/flame_graph.h"

namespace headrace::cli {

// One SVG file that needs nothing beside itself.
std::string FlameSvg(const profiling::FlameFrame& flame);
// The same picture with its legend, as HTML for a bench::HtmlPage.
std::string FlameFigure(const profiling::FlameFrame& flame);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_PROFILE_FLAME_H_
