// The model repository endpoints: index, load, unload.
#include <string>
#include <utility>

#include "frontend/call.h"
#include "frontend/replies.h"
#include "frontend/repository_request.h"
#include "frontend/v2_handlers.h"
#include "protocol/json_writer.h"

namespace headrace::frontend {
namespace {

std::string IndexJson(const std::vector<repository::IndexEntry>& entries) {
  std::string page;
  protocol::JsonWriter json(page);
  json.BeginArray();
  for (const repository::IndexEntry& entry : entries) {
    json.BeginObject().Key("name").String(entry.name);
    if (!entry.version.empty()) {
      json.Key("version").String(entry.version);
    }
    if (!entry.state.empty()) {
      json.Key("state").String(entry.state);
    }
    if (!entry.reason.empty()) {
      json.Key("reason").String(entry.reason);
    }
    json.EndObject();
  }
  json.EndArray();
  return page;
}

Status CheckTarget(const RouteMatch& match) {
  if (!match.repository.empty()) {
    return Unimplemented("'repository_name' specification is not supported");
  }
  return CheckModelName(match.model);
}

// What the manager calls on one of its threads when it is done: answers on the exchange's loop.
std::function<void(Status)> AnswerWhenDone(Call& call) {
  return [exchange = call.exchange, &loops = call.services.loops](Status status) {
    loops.RefreshAll();
    exchange->loop().PostFunction([exchange, status = std::move(status)] {
      if (status.ok()) {
        ReplyStatusOnly(*exchange, 200, kJsonType);
      } else {
        ReplyError(*exchange, status);
      }
    });
  };
}

}  // namespace

void ServeRepositoryIndex(Call& call) {
  const Result<bool> ready_only = ParseIndexRequest(call.exchange->body());
  if (!ready_only.ok()) {
    ReplyError(*call.exchange, ready_only.status());
    return;
  }
  ReplyJson(*call.exchange, IndexJson(call.services.models.Index(*ready_only)));
}

void ServeModelLoad(Call& call) {
  if (Status status = CheckTarget(call.match); !status.ok()) {
    ReplyError(*call.exchange, status);
    return;
  }
  Result<repository::LoadOverride> load = ParseLoadRequest(call.exchange->body());
  if (!load.ok()) {
    ReplyError(*call.exchange, load.status());
    return;
  }
  call.services.models.LoadAsync(std::string(call.match.model), *std::move(load),
                                 AnswerWhenDone(call));
}

void ServeModelUnload(Call& call) {
  if (Status status = CheckTarget(call.match); !status.ok()) {
    ReplyError(*call.exchange, status);
    return;
  }
  const Result<bool> unload_dependents = ParseUnloadRequest(call.exchange->body());
  if (!unload_dependents.ok()) {
    ReplyError(*call.exchange, unload_dependents.status());
    return;
  }
  call.services.models.UnloadAsync(std::string(call.match.model), *unload_dependents,
                                   AnswerWhenDone(call));
}

}  // namespace headrace::frontend
