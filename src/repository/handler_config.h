// Completes the configuration of a model that is a TorchServe handler. Pure, thread-safe.
#ifndef HEADRACE_REPOSITORY_HANDLER_CONFIG_H_
#define HEADRACE_REPOSITORY_HANDLER_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "repository/handler_settings.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

inline constexpr char kHandlerBackend[] = "handler";
// Parameters of the configuration: per version, "model_config.<version>" holds model-config.yaml as
// JSON.
inline constexpr char kModelConfigParameter[] = "model_config.";
// What the workers' environment is to have (worker/python_model.cc): a file below the version's
// directory, and "true" for an environment of the model's own whatever it needs.
inline constexpr char kRequirementsParameter[] = "requirements_file";
inline constexpr char kOwnEnvironmentParameter[] = "own_environment";
inline constexpr char kForkWorkersParameter[] = "fork_workers";
// Processes of a worker (parallelType).
inline constexpr char kRankCountParameter[] = "rank_count";

// One version that is to be served.
struct HandlerVersion {
  std::int64_t version = 1;
  HandlerSettings settings;
};

// Fills in what `config` leaves out: the backend, the input `data` and the output `body` (bytes),
// and from the settings of the newest of `versions` (ascending, at least one) max_batch_size,
// dynamic_batching with its delay and queue, the instance group, the threads of a worker as the
// parameter "INTRA_OP_THREAD_COUNT", and the time limits as "response-timeout-seconds",
// "start-timeout-seconds" and "restart-give-up-seconds". `gpus` are those that may be used. Returns
// what is worth a warning.
std::vector<std::string> CompleteHandlerConfig(const std::vector<HandlerVersion>& versions,
                                               const std::vector<int>& gpus,
                                               inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_HANDLER_CONFIG_H_
