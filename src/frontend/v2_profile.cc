// Profiles of models (docs/profile.md): POST /v2/models/{model}[/versions/{version}]/profile.
#include <string>
#include <utility>

#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
#include "profiling/profiler.h"

namespace headrace::frontend {

void ServeProfile(Call& call) {
  Result<engine::ModelHandle> model = FindModel(call.match, call.loop.models.Get());
  if (!model.ok()) {
    ReplyError(*call.exchange, model.status());
    return;
  }
  const Result<profiling::ProfileOptions> options = profiling::ProfileOptions::Parse(call.body());
  if (!options.ok()) {
    ReplyError(*call.exchange, options.status());
    return;
  }
  // Answers on the exchange's loop, seconds later; a client that has gone loses its document.
  call.services.profiler.Start(
      *std::move(model), *options, [exchange = call.exchange](Result<std::string> document) {
        exchange->loop().PostFunction([exchange, document = std::move(document)]() mutable {
          if (document.ok()) {
            ReplyJson(*exchange, *std::move(document));
          } else {
            ReplyError(*exchange, document.status());
          }
        });
      });
}

}  // namespace headrace::frontend
