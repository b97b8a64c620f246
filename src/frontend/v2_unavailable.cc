// Endpoints of features that this server does not have.
#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {
void ServeGenerate(Call& call) {
  ReplyError(*call.exchange,
             Unimplemented("the generate extension is not supported by this server; use the infer "
                           "endpoint of the model"));
}

}  // namespace headrace::frontend
