// Endpoints of features that this server does not have.
#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {
namespace {

// No region can be registered, so a status without a region is an empty list, and any region is
// unknown.
void ReplyNoRegions(Call& call, std::string_view kind) {
  if (call.match.region.empty()) {
    ReplyJson(*call.exchange, "[]");
    return;
  }
  ReplyError(*call.exchange,
             NotFound("Unable to find {} shared memory region: '{}'", kind, call.match.region));
}

}  // namespace

void ServeSystemSharedMemoryStatus(Call& call) { ReplyNoRegions(call, "system"); }

void ServeCudaSharedMemoryStatus(Call& call) { ReplyNoRegions(call, "cuda"); }

void ServeSharedMemoryControl(Call& call) {
  ReplyError(*call.exchange,
             Unimplemented("Client shared memory is disabled. Start the server with "
                           "'--allow-client-shm=true' to enable."));
}

void ServeGenerate(Call& call) {
  ReplyError(*call.exchange,
             Unimplemented("the generate extension is not supported by this server; use the infer "
                           "endpoint of the model"));
}

void ServeTraceSetting(Call& call) {
  ReplyError(*call.exchange, Unimplemented("the trace extension is not supported by this server"));
}

void ServeLogSettings(Call& call) {
  ReplyError(*call.exchange, Unimplemented("the logging extension is not supported by this server; "
                                           "log settings are fixed when it starts"));
}

}  // namespace headrace::frontend
