// libtritonrepoagent_test.so: a repository agent that keeps a journal, and does what the model's
// configuration asks for.
//
// Parameters: "journal": the file that gets a line for every call. "unseal": the directory of the
// model, below its own, that holds what is to be loaded; it is copied to a location that the host
// gives. "release": the location is given back at UNLOAD_COMPLETE. "fail": the action that fails;
// "initialize" stands for ModelInitialize, "throw" for LOAD with an exception. "update": where LOAD
// says that the model is.
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "triton_abi.h"

namespace {

constexpr const char* kActions[] = {"LOAD", "LOAD_COMPLETE", "LOAD_FAIL", "UNLOAD",
                                    "UNLOAD_COMPLETE"};

void Must(TRITONSERVER_Error* error) {
  if (error != nullptr) {
    const std::string text = TRITONSERVER_ErrorMessage(error);
    TRITONSERVER_ErrorDelete(error);
    throw std::runtime_error(text);
  }
}

// The value; empty if there is none of that name.
std::string Parameter(TRITONREPOAGENT_Agent* agent, TRITONREPOAGENT_AgentModel* model,
                      const std::string& wanted) {
  uint32_t count = 0;
  Must(TRITONREPOAGENT_ModelParameterCount(agent, model, &count));
  for (uint32_t i = 0; i < count; ++i) {
    const char *name = nullptr, *value = nullptr;
    Must(TRITONREPOAGENT_ModelParameter(agent, model, i, &name, &value));
    if (wanted == name) {
      return value;
    }
  }
  return "";
}

std::string Location(TRITONREPOAGENT_Agent* agent, TRITONREPOAGENT_AgentModel* model) {
  TRITONREPOAGENT_ArtifactType type = TRITONREPOAGENT_ARTIFACT_REMOTE_FILESYSTEM;
  const char* location = nullptr;
  Must(TRITONREPOAGENT_ModelRepositoryLocation(agent, model, &type, &location));
  return type == TRITONREPOAGENT_ARTIFACT_FILESYSTEM ? location : "";
}

void Note(TRITONREPOAGENT_Agent* agent, TRITONREPOAGENT_AgentModel* model,
          const std::string& what) {
  void* prefix = nullptr;
  Must(TRITONREPOAGENT_State(agent, &prefix));
  std::ofstream(Parameter(agent, model, "journal"), std::ios::app)
      << static_cast<const char*>(prefix) << Parameter(agent, model, "as") << what << "\n";
}

void Load(TRITONREPOAGENT_Agent* agent, TRITONREPOAGENT_AgentModel* model) {
  if (const std::string update = Parameter(agent, model, "update"); !update.empty()) {
    Must(TRITONREPOAGENT_ModelRepositoryUpdate(agent, model, TRITONREPOAGENT_ARTIFACT_FILESYSTEM,
                                               update.c_str()));
  }
  const std::string sealed = Parameter(agent, model, "unseal");
  if (sealed.empty()) {
    return;
  }
  const char *made = nullptr, *again = nullptr;
  Must(TRITONREPOAGENT_ModelRepositoryLocationAcquire(agent, model,
                                                      TRITONREPOAGENT_ARTIFACT_FILESYSTEM, &made));
  Must(TRITONREPOAGENT_ModelRepositoryLocationAcquire(agent, model,
                                                      TRITONREPOAGENT_ARTIFACT_FILESYSTEM, &again));
  if (std::string(made) != again) {
    throw std::runtime_error("another location");
  }
  std::filesystem::copy(std::filesystem::path(Location(agent, model)) / sealed, made,
                        std::filesystem::copy_options::recursive);
  Must(TRITONREPOAGENT_ModelRepositoryUpdate(agent, model, TRITONREPOAGENT_ARTIFACT_FILESYSTEM,
                                             made));
  Must(TRITONREPOAGENT_ModelSetState(model, new std::string(made)));
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONREPOAGENT_Initialize(TRITONREPOAGENT_Agent* agent) {
  return TRITONREPOAGENT_SetState(agent, const_cast<char*>("test:"));
}

TRITONSERVER_Error* TRITONREPOAGENT_Finalize(TRITONREPOAGENT_Agent* /*agent*/) { return nullptr; }

TRITONSERVER_Error* TRITONREPOAGENT_ModelInitialize(TRITONREPOAGENT_Agent* agent,
                                                    TRITONREPOAGENT_AgentModel* model) {
  Note(agent, model, "initialize");
  return Parameter(agent, model, "fail") == "initialize"
             ? TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, "not this model")
             : nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelFinalize(TRITONREPOAGENT_Agent* agent,
                                                  TRITONREPOAGENT_AgentModel* model) {
  void* state = nullptr;
  Must(TRITONREPOAGENT_ModelState(model, &state));
  delete static_cast<std::string*>(state);
  Note(agent, model, "finalize");
  return nullptr;
}

TRITONSERVER_Error* TRITONREPOAGENT_ModelAction(TRITONREPOAGENT_Agent* agent,
                                                TRITONREPOAGENT_AgentModel* model,
                                                const TRITONREPOAGENT_ActionType action) {
  Note(agent, model, kActions[action]);
  const std::string fail = Parameter(agent, model, "fail");
  if (action == TRITONREPOAGENT_ACTION_LOAD && fail == "throw") {
    throw std::runtime_error("the agent throws");
  }
  if (fail == kActions[action]) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "the agent fails");
  }
  if (action == TRITONREPOAGENT_ACTION_LOAD) {
    Load(agent, model);
  }
  void* state = nullptr;
  Must(TRITONREPOAGENT_ModelState(model, &state));
  if (action == TRITONREPOAGENT_ACTION_UNLOAD_COMPLETE && state != nullptr &&
      !Parameter(agent, model, "release").empty()) {
    return TRITONREPOAGENT_ModelRepositoryLocationRelease(
        agent, model, static_cast<std::string*>(state)->c_str());
  }
  return nullptr;
}

}  // extern "C"
