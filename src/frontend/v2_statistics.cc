// What models have done since they were loaded.
#include "frontend/call.h"
#include "frontend/documents.h"
#include "frontend/model_descriptions.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {

void ServeModelStatistics(Call& call) {
  const auto models =
      ModelsWithStatistics(ModelNameOf(call.match), call.match.version, call.loop.models.Get());
  if (!models.ok()) {
    ReplyError(*call.exchange, models.status());
    return;
  }
  ReplyJson(*call.exchange, StatisticsJson(*models));
}

void ServeAllStatistics(Call& call) {
  ReplyJson(*call.exchange, StatisticsJson(*ModelsWithStatistics({}, {}, call.loop.models.Get())));
}

}  // namespace headrace::frontend
