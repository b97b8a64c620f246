// Parameters of a configuration that put a model online: its queue delay and instances follow the
// traffic, within bounds, so that an SLA holds (docs/tune.md).
#ifndef HEADRACE_REPOSITORY_ONLINE_PARAMETERS_H_
#define HEADRACE_REPOSITORY_ONLINE_PARAMETERS_H_

#include <array>
#include <optional>

#include "base/result.h"
#include "engine/online_options.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

inline constexpr char kOnlineSlaParameter[] = "online_sla";  // "p99=100ms"; without it all is off
// Bounds. One that is missing is what the configuration has.
inline constexpr char kOnlineDelayMinParameter[] = "online_queue_delay_min_us";
inline constexpr char kOnlineDelayMaxParameter[] = "online_queue_delay_max_us";
inline constexpr char kOnlineInstancesMinParameter[] = "online_instances_min";
inline constexpr char kOnlineInstancesMaxParameter[] = "online_instances_max";
inline constexpr char kOnlineWindowParameter[] = "online_window_ms";
inline constexpr char kOnlineShrinkAfterParameter[] = "online_shrink_after_ms";
inline constexpr std::array kOnlineParameters = {
    kOnlineSlaParameter,          kOnlineDelayMinParameter,     kOnlineDelayMaxParameter,
    kOnlineInstancesMinParameter, kOnlineInstancesMaxParameter, kOnlineWindowParameter,
    kOnlineShrinkAfterParameter};

// Nothing where `config`, whose defaults are filled in, does not ask for it. INVALID_ARGUMENT names
// the parameter that is wrong and what would be right.
Result<std::optional<engine::OnlineOptions>> BuildOnlineOptions(
    const inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ONLINE_PARAMETERS_H_
