// The keys of TorchServe's config.properties and what becomes of each (contracts, TorchServe 5.2).
#ifndef HEADRACE_SERVER_TORCHSERVE_KEYS_H_
#define HEADRACE_SERVER_TORCHSERVE_KEYS_H_

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "server/server_config.h"

namespace headrace::server {

struct TorchServeKey {
  std::string_view name;
  // Acts on it. INVALID_ARGUMENT says what is wrong with the value, without the key. Null: it has
  // no effect.
  Status (*set)(ServerConfig& config, std::string_view text) = nullptr;
  // Of one without effect: why, as a sentence behind "has no effect: ".
  std::string_view reason = {};
  // The value that is TorchServe's own default, and so is no news; empty: none.
  std::string_view quiet_value = {};
};

// All keys of 5.2 but for the two that say where values come from (torchserve_settings.h).
std::span<const TorchServeKey> TorchServeKeys();

// Null for a key that TorchServe has not.
const TorchServeKey* FindTorchServeKey(std::string_view name);

// "TS_JOB_QUEUE_SIZE" for "job_queue_size"; two are irregular.
std::string TorchServeEnvironmentName(std::string_view key);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_KEYS_H_
