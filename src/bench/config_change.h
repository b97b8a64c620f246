// A changed model configuration, as a load request takes it (`parameters.config`).
#ifndef HEADRACE_BENCH_CONFIG_CHANGE_H_
#define HEADRACE_BENCH_CONFIG_CHANGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::bench {

// What is to be different; what is not set stays as the configuration has it.
struct ConfigChange {
  std::optional<std::int64_t> max_batch_size;
  // Of the first instance group; the others are dropped. On GPUs: for each of them.
  std::optional<int> instance_count;
  // "cpu", "gpu" (all of them), "gpu:0,2", "auto" or "model", as instance_group.kind. A change of
  // the kind drops what belongs to the old one (gpus, secondary devices, host policy).
  std::optional<std::string> device;
  // False takes `dynamic_batching` away. True, or one of the two below, adds it where it is not.
  std::optional<bool> dynamic_batching;
  std::optional<std::uint64_t> queue_delay_us;
  std::optional<std::vector<std::int64_t>> preferred_batch_sizes;
  // JSON merge patch (RFC 7386) of the whole configuration, applied after the others: whatever else
  // is to be tried. "" = none. Example: {"parameters":{"intra_op":{"string_value":"2"}}}
  std::string merge_patch;

  bool operator==(const ConfigChange&) const = default;
};

// "instances 2 x cpu, max batch 8, delay 500 us": the words of progress lines and reports; "as the
// repository has it" for no change.
std::string Describe(const ConfigChange& change);

// `config_json` (from ModelFacts::config_json) with the change applied; a string that ServerControl
// ::Load takes. Pure. INVALID_ARGUMENT names what is wrong: text that is no JSON object, a device
// that is none of the above, a count below 1, dynamic batching for a model of sequences or an
// ensemble, or with max_batch_size 0.
Result<std::string> ChangedConfig(std::string_view config_json, const ConfigChange& change);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_CONFIG_CHANGE_H_
