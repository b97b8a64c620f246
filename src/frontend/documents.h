// The JSON documents about a server and its models: what the HTTP endpoints answer and the C
// interface hands out.
#ifndef HEADRACE_FRONTEND_DOCUMENTS_H_
#define HEADRACE_FRONTEND_DOCUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/registry.h"
#include "repository/model_manager.h"

namespace headrace::frontend {

// Contracts, Triton 1.3.
std::string ServerMetadataJson(std::string_view server_id, std::string_view server_version);

// Contracts, Triton 1.4: of one version, or of the model with all versions that are READY. The
// failures are those of RegistrySnapshot::Lookup.
Result<std::string> ModelMetadataJson(const engine::RegistrySnapshot& models, std::string_view name,
                                      std::optional<std::int64_t> version);

// Contracts, Triton 6.2: of one version, or of all that serve. INVALID_ARGUMENT if there is none.
Result<std::string> ModelStatisticsJson(const engine::RegistrySnapshot& models,
                                        std::string_view name, std::optional<std::int64_t> version);
// Of all models, by name and version.
std::string AllStatisticsJson(const engine::RegistrySnapshot& models);

// Contracts, Triton 5.4.
std::string RepositoryIndexJson(const std::vector<repository::IndexEntry>& entries);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_DOCUMENTS_H_
