// The shared memory endpoints (contracts, Triton 1.11).
#include <string>
#include <utility>

#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
#include "protocol/json_writer.h"
#include "protocol/shared_memory_json.h"

namespace headrace::frontend {
namespace {

void WriteRegion(const SharedMemoryRegion& region, protocol::JsonWriter& json) {
  json.BeginObject()
      .Key("name")
      .String(region.name)
      .Key("key")
      .String(region.key)
      .Key("offset")
      .Uint(region.offset)
      .Key("byte_size")
      .Uint(region.byte_size)
      .EndObject();
}

void ReplyStatus(Call& call, const Status& status) {
  if (status.ok()) {
    ReplyStatusOnly(*call.exchange, 200, kJsonType);
  } else {
    ReplyError(*call.exchange, status);
  }
}

}  // namespace

void ServeSystemSharedMemoryStatus(Call& call) {
  std::string page;
  protocol::JsonWriter json(page);
  json.BeginArray();
  if (call.match.region.empty()) {
    for (const SharedMemoryRegion& region : call.services.shared_memory.List()) {
      WriteRegion(region, json);
    }
  } else {
    const auto region = call.services.shared_memory.Find(std::string(call.match.region));
    if (!region.ok()) {
      ReplyError(*call.exchange, region.status());
      return;
    }
    WriteRegion(*region, json);
  }
  json.EndArray();
  ReplyJson(*call.exchange, std::move(page));
}

void ServeSystemSharedMemoryRegister(Call& call) {
  if (Status status = call.services.shared_memory.CheckAllowed(); !status.ok()) {
    ReplyError(*call.exchange, status);
    return;
  }
  auto request = protocol::ParseSystemSharedMemoryRegisterRequest(call.body());
  if (!request.ok()) {
    ReplyError(*call.exchange, request.status());
    return;
  }
  ReplyStatus(call, call.services.shared_memory.Register({std::string(call.match.region),
                                                          std::move(request->key), request->offset,
                                                          request->byte_size}));
}

void ServeSystemSharedMemoryUnregister(Call& call) {
  SharedMemoryRegions& regions = call.services.shared_memory;
  ReplyStatus(call, call.match.region.empty() ? regions.UnregisterAll()
                                              : regions.Unregister(std::string(call.match.region)));
}

void ServeCudaSharedMemoryStatus(Call& call) {
  if (call.match.region.empty()) {
    ReplyJson(*call.exchange, "[]");
    return;
  }
  ReplyError(*call.exchange,
             NotFound("Unable to find cuda shared memory region: '{}'", call.match.region));
}

void ServeCudaSharedMemoryRegister(Call& call) {
  ReplyError(*call.exchange, call.services.shared_memory.RefuseCuda(call.match.region));
}

// Nothing is registered, and unregistering what is not there succeeds.
void ServeCudaSharedMemoryUnregister(Call& call) {
  ReplyStatus(call, call.services.shared_memory.CheckAllowed());
}

}  // namespace headrace::frontend
