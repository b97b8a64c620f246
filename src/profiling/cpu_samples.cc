#include "profiling/cpu_samples.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace headrace::profiling {

CpuSampleTable TableOf(CpuSamples samples, const std::function<CodePlace(std::uint64_t)>& find) {
  CpuSampleTable table{.period = samples.period,
                       .with_kernel = samples.with_kernel,
                       .truncated = samples.truncated,
                       .lost = samples.lost,
                       .thread_names = std::move(samples.thread_names),
                       .note = std::move(samples.note)};
  std::map<std::uint64_t, std::size_t> by_address;
  std::map<std::pair<std::string, std::string>, std::size_t> by_name;  // function and module
  std::vector<CpuSampleTable::Function> functions;
  for (const CpuSample& sample : samples.samples) {
    // No function begins at address 0.
    const auto [known, is_new] = by_address.try_emplace(sample.in_kernel ? 0 : sample.address);
    if (is_new) {
      CodePlace place = sample.in_kernel ? CodePlace{.function = "[kernel]"} : find(sample.address);
      const auto [named, is_first] =
          by_name.try_emplace({place.function, place.module}, functions.size());
      if (is_first) {
        functions.push_back({.place = std::move(place)});
      }
      known->second = named->second;
    }
    ++functions[known->second].count;
    table.samples.push_back({.at = sample.at, .thread = sample.thread, .function = known->second});
  }
  std::vector<std::size_t> order(functions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return functions[a].count > functions[b].count;
  });
  std::vector<std::size_t> places(functions.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    places[order[i]] = i;
    table.functions.push_back(std::move(functions[order[i]]));
  }
  for (CpuSampleTable::Sample& sample : table.samples) {
    sample.function = places[sample.function];
  }
  return table;
}

}  // namespace headrace::profiling
