#include "repository/variant_machine.h"

#include <sys/utsname.h>

#include <fstream>
#include <iterator>
#include <string>

namespace headrace::repository {
namespace {

// One entry has some kilobytes, and the first is enough.
constexpr std::size_t kCpuInfoByteSizeMax = std::size_t{64} << 10;

template <typename Take>
void Split(std::string_view text, char separator, const Take& take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) {
      take(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::set<std::string> InstructionSetsIn(std::string_view cpuinfo) {
  std::set<std::string> names;
  Split(cpuinfo, '\n', [&](std::string_view line) {
    const std::size_t colon = line.find(':');
    const bool wanted = line.starts_with("flags") || line.starts_with("Features");
    if (wanted && colon != std::string_view::npos && names.empty()) {
      Split(line.substr(colon + 1), ' ', [&](std::string_view name) { names.emplace(name); });
    }
  });
  return names;
}

std::map<std::string, std::string> RuntimesIn(std::string_view text) {
  std::map<std::string, std::string> runtimes;
  Split(text, ',', [&](std::string_view pair) {
    if (const std::size_t equals = pair.find('='); equals != std::string_view::npos) {
      runtimes.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    }
  });
  return runtimes;
}

MachineFacts ThisMachine() {
  MachineFacts facts;
  if (utsname name{}; uname(&name) == 0) {
    facts.architecture = name.machine;
  }
  std::ifstream file("/proc/cpuinfo");
  std::string text(kCpuInfoByteSizeMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  facts.instruction_sets = InstructionSetsIn(text);
  facts.runtimes = RuntimesIn(HEADRACE_RUNTIME_VERSIONS);
  return facts;
}

}  // namespace headrace::repository
