// Parameters of a configuration that say how a model's requests are scheduled where config.pbtxt
// has no field for it; handlers have them from model-config.yaml (contracts, TorchServe 6.1).
#ifndef HEADRACE_REPOSITORY_SCHEDULING_PARAMETERS_H_
#define HEADRACE_REPOSITORY_SCHEDULING_PARAMETERS_H_

#include "base/status.h"
#include "engine/model.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// "true": a request is refused unless an instance is free for it (useJobTicket).
inline constexpr char kJobTicketParameter[] = "job_tickets";
// Requests that may wait, of a model that batches sequences; others have max_queue_size
// (jobQueueSize).
inline constexpr char kJobQueueParameter[] = "sequence_queue_size";
// "true": a request begins the sequence that it names if there is none.
inline constexpr char kSequenceStartsByItselfParameter[] = "sequence_starts_by_itself";
// Milliseconds from a sequence's first request on; later ones begin it anew (sequenceTimeoutMSec).
inline constexpr char kSequenceAgeParameter[] = "sequence_age_max_ms";
// Sequences at a time, more are refused (maxNumSequence), and requests of one that wait
// (maxSequenceJobQueueSize).
inline constexpr char kSequenceCountParameter[] = "sequence_count_max";
inline constexpr char kSequenceQueueParameter[] = "sequence_pending_max";

// Puts what `config` says so into `options`, whose `sequences` are built. INVALID_ARGUMENT names a
// parameter that is neither "true" nor "false", or no whole number of at least 1.
Status ApplySchedulingParameters(const inference::ModelConfig& config,
                                 engine::ModelOptions& options);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_SCHEDULING_PARAMETERS_H_
