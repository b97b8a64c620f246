// Repository agents: who may look at a model, or make its files, before it is loaded (contracts,
// Triton 5.6 and 8.4). Implemented over libraries by plugin::AgentHost, and by fakes in tests.
#ifndef HEADRACE_ENGINE_REPOSITORY_AGENTS_H_
#define HEADRACE_ENGINE_REPOSITORY_AGENTS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace headrace::engine {

// One that a model's configuration names.
struct AgentSpec {
  std::string name;
  std::map<std::string, std::string> parameters;
};

// A model before its agents have seen it.
struct AgentTask {
  std::string model_name;
  std::string model_directory;
  std::string config_json;
  std::vector<AgentSpec> agents;  // in the order in which they act
};

// The agents of one load of a model. Shared by all that came of the load: with the last owner the
// agents hear of the end, whatever it is (the load failed, or everything is unloaded), and
// directories that they made go. Thread-safe. An agent's failure after the load is only logged.
class ModelAgents {
 public:
  virtual ~ModelAgents() = default;

  // Where the model is to be loaded from.
  virtual const std::string& directory() const = 0;
  // The model serves; before it, the end means that the load has failed.
  virtual void LoadComplete() = 0;
  // The model is about to be unloaded. At most once, after LoadComplete; the end implies it.
  virtual void Unload() = 0;
};

// Thread-safe.
class AgentProvider {
 public:
  virtual ~AgentProvider() = default;
  // Lets the agents act on a model that is about to be loaded; blocks. The failure names the agent.
  virtual Result<std::shared_ptr<ModelAgents>> Load(AgentTask task) = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_REPOSITORY_AGENTS_H_
