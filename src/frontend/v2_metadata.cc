// Server and model metadata.
#include "frontend/call.h"
#include "frontend/documents.h"
#include "frontend/model_descriptions.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {

void ServeServerMetadata(Call& call) {
  const FrontEndOptions& options = call.services.options;
  ReplyJson(*call.exchange, ServerMetadataJson(options.server_id, options.server_version));
}

void ServeModelMetadata(Call& call) {
  const Result<ModelDescription> description =
      DescribeModel(ModelNameOf(call.match), call.match.version, call.loop.models.Get());
  if (!description.ok()) {
    ReplyError(*call.exchange, description.status());
    return;
  }
  ReplyJson(*call.exchange, ModelMetadataJson(*description));
}

}  // namespace headrace::frontend
