// What a server in this process is made from (family "server_options" of abi/triton.yaml).
#ifndef HEADRACE_CAPI_SERVER_OPTIONS_H_
#define HEADRACE_CAPI_SERVER_OPTIONS_H_

#include "server/server_config.h"
#include "triton_abi.h"

// The program's own options, without its listeners. Owned by its maker; one thread at a time.
struct TRITONSERVER_ServerOptions {
  headrace::server::ServerConfig config;
};

#endif  // HEADRACE_CAPI_SERVER_OPTIONS_H_
