// Makes the usual rows of the table of options. For the files that hold parts of it.
#ifndef HEADRACE_SERVER_OPTION_ROWS_H_
#define HEADRACE_SERVER_OPTION_ROWS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/options.h"

namespace headrace::server {

// A field that is one value: a truth value, a number within a range, a text.
Option Bool(std::string_view name, std::string_view group, bool ServerConfig::*field,
            std::string_view help);
struct Range {
  std::uint64_t minimum = 0;
  std::uint64_t maximum = UINT64_MAX / 2;
};
Option Number(std::string_view name, std::string_view group, std::uint64_t ServerConfig::*field,
              std::string_view value, Range range, std::string_view help);
Option Text(std::string_view name, std::string_view group, std::string ServerConfig::*field,
            std::string_view value, std::string_view help);

// options_models.cc: which models there are, and how they are loaded.
void AppendModelOptions(std::vector<Option>& options);

// options_logging.cc: what the log has, and traces.
void AppendLoggingOptions(std::vector<Option>& options);

// options_placement.cc: host policies, and which instances are bound to cores.
void AppendPlacementOptions(std::vector<Option>& options);
// Of models that are Python programs.
void AppendPythonOptions(std::vector<Option>& options);
// options_archives.cc
void AppendArchiveOptions(std::vector<Option>& options);

// options_native.cc: handlers that need no Python.
void AppendNativeOptions(std::vector<Option>& options);

// options_variants.cc: what `headrace optimize` has made of models.
void AppendVariantOptions(std::vector<Option>& options);

// options_model_services.cc: the response cache and the rate limiter, which all models share.
void AppendModelServiceOptions(std::vector<Option>& options);

// options_scheduling.cc: whose request goes next, and what becomes of a batch that fails.
void AppendSchedulingOptions(std::vector<Option>& options);

// options_service.cc: what the services do with requests, whatever the transport.
void AppendServiceOptions(std::vector<Option>& options);

// options_access.cc: APIs that only those may use who know a header.
void AppendAccessOptions(std::vector<Option>& options);

// options_transport.cc: gRPC's port and connections, HTTP/2, TLS.
void AppendTransportOptions(std::vector<Option>& options);

// options_torchserve.cc: a TorchServe beside the rest.
void AppendTorchServeOptions(std::vector<Option>& options);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_OPTION_ROWS_H_
