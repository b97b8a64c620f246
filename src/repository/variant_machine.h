// This machine, as variants of models are chosen by it.
#ifndef HEADRACE_REPOSITORY_VARIANT_MACHINE_H_
#define HEADRACE_REPOSITORY_VARIANT_MACHINE_H_

#include <string_view>

#include "repository/variant_policy.h"

namespace headrace::repository {

// Reads /proc/cpuinfo. The runtimes are those that the backends of this build were linked with.
MachineFacts ThisMachine();

// Of the text of /proc/cpuinfo: the flags (x86) or features (Arm) of its first processor.
std::set<std::string> InstructionSetsIn(std::string_view cpuinfo);

// "torch=2.15.0,openvino=2026.4.1"
std::map<std::string, std::string> RuntimesIn(std::string_view text);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VARIANT_MACHINE_H_
