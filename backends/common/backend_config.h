// The settings that the server's command line gives to a backend.
#ifndef HEADRACE_BACKENDS_COMMON_BACKEND_CONFIG_H_
#define HEADRACE_BACKENDS_COMMON_BACKEND_CONFIG_H_

#include <cstdint>
#include <map>
#include <string>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// The "cmdline" section of the backend configuration. A value type.
class BackendConfig {
 public:
  static Error Read(TRITONBACKEND_Backend* backend, BackendConfig* config);

  // Leaves `value` alone if the setting is not there; INVALID_ARG names a setting that is no
  // number.
  Error Get(const std::string& key, std::int64_t* value) const;
  Error Get(const std::string& key, bool* value) const;  // true, false, 1, 0

 private:
  std::map<std::string, std::string> settings_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_BACKEND_CONFIG_H_
