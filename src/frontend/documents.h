// The JSON documents about a server and its models: what the HTTP endpoints answer and the C
// interface hands out.
#ifndef HEADRACE_FRONTEND_DOCUMENTS_H_
#define HEADRACE_FRONTEND_DOCUMENTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"
#include "frontend/model_descriptions.h"
#include "repository/model_manager.h"

namespace headrace::frontend {

// Contracts, Triton 1.3.
std::string ServerMetadataJson(std::string_view server_id, std::string_view server_version);

// Contracts, Triton 1.4.
std::string ModelMetadataJson(const ModelDescription& description);

// Contracts, Triton 6.2.
std::string StatisticsJson(const std::vector<engine::ModelHandle>& models);

// Contracts, Triton 5.4.
std::string RepositoryIndexJson(const std::vector<repository::IndexEntry>& entries);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_DOCUMENTS_H_
