// Server and model metadata.
#include "frontend/call.h"
#include "frontend/documents.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {

void ServeServerMetadata(Call& call) {
  const FrontEndOptions& options = call.services.options;
  ReplyJson(*call.exchange, ServerMetadataJson(options.server_id, options.server_version));
}

void ServeModelMetadata(Call& call) {
  const Result<std::optional<std::int64_t>> version = ParseVersion(call.match);
  Result<std::string> page =
      version.ok() ? ModelMetadataJson(call.loop.models.Get(), call.match.model, *version)
                   : Result<std::string>(version.status());
  if (!page.ok()) {
    ReplyError(*call.exchange, page.status());
    return;
  }
  ReplyJson(*call.exchange, *std::move(page));
}

}  // namespace headrace::frontend
