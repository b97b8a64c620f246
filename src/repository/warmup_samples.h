// The warm-up requests that a configuration asks for.
#ifndef HEADRACE_REPOSITORY_WARMUP_SAMPLES_H_
#define HEADRACE_REPOSITORY_WARMUP_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/warmup.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// Executions of one sample, and bytes of one of its inputs.
inline constexpr std::uint32_t kWarmupCountMax = 100'000;
inline constexpr std::size_t kWarmupInputByteSizeMax = std::size_t{1} << 30;

// The samples of `config` (contracts, Triton 4.8) with their data: zeros, random values (the same
// ones at every load) or the files below `model_directory`/warmup, staying inside `root`. Samples
// of batch size 0 are left out. INVALID_ARGUMENT names the sample and the input. Blocks on the file
// system.
Result<std::vector<engine::WarmupSample>> BuildWarmup(const inference::ModelConfig& config,
                                                      const std::string& root,
                                                      const std::string& model_directory);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_WARMUP_SAMPLES_H_
