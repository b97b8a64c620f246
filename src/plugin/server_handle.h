// The handle of a server in the C interface.
#ifndef HEADRACE_PLUGIN_SERVER_HANDLE_H_
#define HEADRACE_PLUGIN_SERVER_HANDLE_H_

#include <cstdint>
#include <optional>

#include "plugin/server_control.h"
#include "triton_abi.h"

// Made by whoever holds the server; entries refuse calls while `control` is null.
struct TRITONSERVER_Server {
  headrace::plugin::ServerControl* control = nullptr;
  bool in_process = false;  // made by ServerNew, to be ended by ServerDelete
};

namespace headrace::plugin {

// What version -1 of the interface means: the policy's choice.
inline std::optional<std::int64_t> VersionOf(std::int64_t version) {
  return version < 0 ? std::nullopt : std::optional<std::int64_t>(version);
}

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_SERVER_HANDLE_H_
