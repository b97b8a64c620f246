// Endpoints of features that this server does not have.
#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {
void ServeGenerateStream(Call& call) {
  ReplyError(*call.exchange,
             Unimplemented("generate_stream is not supported by this server; use the generate "
                           "endpoint of the model, or ModelStreamInfer over gRPC"));
}

}  // namespace headrace::frontend
