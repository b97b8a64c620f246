// Liveness and readiness of the server and of models.
#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {
namespace {

void ReplyHealth(Call& call, bool healthy) {
  ReplyStatusOnly(*call.exchange, healthy ? 200 : 400, kTextType);
}

}  // namespace

// A process that answers is live, also while it drains.
void ServeLive(Call& call) { ReplyHealth(call, true); }

void ServeReady(Call& call) { ReplyHealth(call, ServerIsReady(call.services)); }

void ServeModelReady(Call& call) {
  const auto model = FindModel(call.match, call.loop.models.Get());
  if (model.ok() && (*model)->Health().ok()) {
    ReplyHealth(call, true);
    return;
  }
  // An unknown model gets the same answer, as Triton gives it.
  Reply(*call.exchange,
        {.status = 400, .json = R"({"error":"Model version not ready"})", .headers = {}});
}

}  // namespace headrace::frontend
