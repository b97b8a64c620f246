// What models have done since they were loaded.
#include "frontend/call.h"
#include "frontend/documents.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {

void ServeModelStatistics(Call& call) {
  const engine::RegistrySnapshot& snapshot = call.loop.models.Get();
  const Result<std::optional<std::int64_t>> version = ParseVersion(call.match);
  // A version that is no number is one that there cannot be.
  Result<std::string> page =
      ModelStatisticsJson(snapshot, call.match.model, version.ok() ? *version : 0);
  if (!page.ok()) {
    ReplyError(*call.exchange, page.status());
    return;
  }
  ReplyJson(*call.exchange, *std::move(page));
}

void ServeAllStatistics(Call& call) {
  ReplyJson(*call.exchange, AllStatisticsJson(call.loop.models.Get()));
}

}  // namespace headrace::frontend
