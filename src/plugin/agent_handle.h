// What a repository agent library sees of itself and of a model (families "agent" and
// "agent_entry_points" of abi/triton.yaml).
#ifndef HEADRACE_PLUGIN_AGENT_HANDLE_H_
#define HEADRACE_PLUGIN_AGENT_HANDLE_H_

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "triton_abi.h"

// One per library. `state` is the library's.
struct TRITONREPOAGENT_Agent {
  std::string name;
  void* state = nullptr;
};

// A model in the hands of one agent. The host calls the agent for one model from one thread at a
// time, and the entries are called by the agent in such a call.
struct TRITONREPOAGENT_AgentModel {
  std::string config_json;
  std::string location;
  std::vector<std::pair<std::string, std::string>> parameters;
  bool loading = false;  // in the action LOAD, when the location may be replaced
  std::string acquired;  // a directory that the host has made for the agent; empty: none
  void* state = nullptr;

  // Makes `acquired`, unless it is there.
  headrace::Status Acquire();
  // Removes it and what is in it. INVALID_ARGUMENT if `path` is not it.
  headrace::Status Release(const std::string& path);
};

#endif  // HEADRACE_PLUGIN_AGENT_HANDLE_H_
