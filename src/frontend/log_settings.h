// The logging extension's settings (contracts, Triton 1.11), for every protocol.
#ifndef HEADRACE_FRONTEND_LOG_SETTINGS_H_
#define HEADRACE_FRONTEND_LOG_SETTINGS_H_

#include "base/status.h"
#include "protocol/settings_json.h"

namespace headrace::frontend {

// Takes over log_info, log_warning, log_error, log_verbose_level and log_format, all or none.
// UNIMPLEMENTED for log_file (fixed at start, reliability D21); UNAVAILABLE "invalid argument for
// --log_format, got: x" as Triton has it; INVALID_ARGUMENT names any other member, or a bad value.
Status UpdateLogSettings(const protocol::Settings& settings);

// All six, in Triton's order.
protocol::Settings ShowLogSettings();

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_LOG_SETTINGS_H_
