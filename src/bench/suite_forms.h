// The two forms of a suite file, one function each. For suite_spec.cc alone.
#ifndef HEADRACE_BENCH_SUITE_FORMS_H_
#define HEADRACE_BENCH_SUITE_FORMS_H_

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/suite_spec.h"
#include "bench/yaml_fields.h"

namespace headrace::bench {

// Fill `spec`; the caller checks `faults`.
void ReadOwnForm(const YAML::Node& root, YamlFaults& faults, SuiteSpec& spec);

// The top-level file. A model file that cannot be read is a fault of the line that names it.
void ReadTorchServeForm(const YAML::Node& root, YamlFaults& faults, SuiteSpec& spec);
// A model file.
void ReadTorchServeModels(const YAML::Node& root, YamlFaults& faults, SuiteSpec& spec);

// `path` where it exists, taken from the folder of `file` or else from the working directory;
// nothing else does: "".
std::string ResolvePath(const std::string& file, const std::string& path);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_FORMS_H_
