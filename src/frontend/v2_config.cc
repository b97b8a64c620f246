// The model configuration in force.
#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {

void ServeModelConfig(Call& call) {
  const Result<engine::ModelHandle> model = FindModel(call.match, call.loop.models.Get());
  if (!model.ok()) {
    ReplyError(*call.exchange, model.status());
    return;
  }
  // The repository made the text when it loaded the model.
  ReplyJson(*call.exchange, (*model)->config_json());
}

}  // namespace headrace::frontend
