// Entries of family "agent", and the version of the agent interface.
#include "plugin/agent_handle.h"
#include "plugin/values.h"

using headrace::InvalidArgument;
using headrace::Unimplemented;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

namespace {

TRITONSERVER_Error* RefuseRemote() {
  return Answer([] {
    return ToTriton(Unimplemented("a model's location can only be a directory of this machine"));
  });
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONREPOAGENT_ApiVersion(uint32_t* major, uint32_t* minor) {
  *major = TRITONREPOAGENT_API_VERSION_MAJOR;
  *minor = TRITONREPOAGENT_API_VERSION_MINOR;
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelRepositoryLocation(
    TRITONREPOAGENT_Agent* /*agent*/, TRITONREPOAGENT_AgentModel* model,
    TRITONREPOAGENT_ArtifactType* artifact_type, const char** location) {
  *artifact_type = TRITONREPOAGENT_ARTIFACT_FILESYSTEM;
  *location = model->location.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelRepositoryLocationAcquire(
    TRITONREPOAGENT_Agent* /*agent*/, TRITONREPOAGENT_AgentModel* model,
    TRITONREPOAGENT_ArtifactType artifact_type, const char** location) {
  if (artifact_type != TRITONREPOAGENT_ARTIFACT_FILESYSTEM) {
    return RefuseRemote();
  }
  return Answer([&] {
    const headrace::Status status = model->Acquire();
    *location = status.ok() ? model->acquired.c_str() : nullptr;
    return ToTriton(status);
  });
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelRepositoryLocationRelease(
    TRITONREPOAGENT_Agent* /*agent*/, TRITONREPOAGENT_AgentModel* model, const char* location) {
  if (location == nullptr) {
    return RefuseCall("there is no location to release");
  }
  return Answer([&] { return ToTriton(model->Release(location)); });
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelRepositoryUpdate(
    TRITONREPOAGENT_Agent* /*agent*/, TRITONREPOAGENT_AgentModel* model,
    TRITONREPOAGENT_ArtifactType artifact_type, const char* location) {
  if (artifact_type != TRITONREPOAGENT_ARTIFACT_FILESYSTEM) {
    return RefuseRemote();
  }
  if (!model->loading || location == nullptr) {
    return RefuseCall("a model's location can only be replaced during TRITONREPOAGENT_ACTION_LOAD");
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    model->location = location;
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelParameterCount(TRITONREPOAGENT_Agent* /*agent*/,
                                                        TRITONREPOAGENT_AgentModel* model,
                                                        uint32_t* count) {
  *count = static_cast<uint32_t>(model->parameters.size());
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelParameter(TRITONREPOAGENT_Agent* /*agent*/,
                                                   TRITONREPOAGENT_AgentModel* model,
                                                   const uint32_t index,
                                                   const char** parameter_name,
                                                   const char** parameter_value) {
  if (index >= model->parameters.size()) {
    return Answer([&] {
      return ToTriton(InvalidArgument("the agent has {} parameters, not one at {}",
                                      model->parameters.size(), index));
    });
  }
  *parameter_name = model->parameters[index].first.c_str();
  *parameter_value = model->parameters[index].second.c_str();
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelConfig(TRITONREPOAGENT_Agent* /*agent*/,
                                                TRITONREPOAGENT_AgentModel* model,
                                                const uint32_t config_version,
                                                TRITONSERVER_Message** model_config) {
  if (config_version != 1) {
    return RefuseCall("model configurations have version 1");
  }
  return Answer([&]() -> TRITONSERVER_Error* {
    *model_config = new TRITONSERVER_Message{model->config_json};
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelState(TRITONREPOAGENT_AgentModel* model, void** state) {
  *state = model->state;
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelSetState(TRITONREPOAGENT_AgentModel* model, void* state) {
  model->state = state;
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_State(TRITONREPOAGENT_Agent* agent, void** state) {
  *state = agent->state;
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_SetState(TRITONREPOAGENT_Agent* agent, void* state) {
  agent->state = state;
  return nullptr;
}

}  // extern "C"
