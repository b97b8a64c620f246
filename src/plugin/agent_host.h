// Repository agents that are libraries: `engine::AgentProvider` over the entries that they export
// (contracts, Triton 8.4, TRITONREPOAGENT_*).
#ifndef HEADRACE_PLUGIN_AGENT_HOST_H_
#define HEADRACE_PLUGIN_AGENT_HOST_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/repository_agents.h"

namespace headrace::plugin {

class AgentLibrary;

// Libraries are <directory>/<name>/libtritonrepoagent_<name>.so. Each is opened and initialised
// when the first model names it, and stays; it is finalised with this and the last of its models.
// Of a model's agents, LOAD and UNLOAD go to the first one first, the other actions to the last one
// first.
class AgentHost final : public engine::AgentProvider {
 public:
  explicit AgentHost(std::string directory) : directory_(std::move(directory)) {}

  // INVALID_ARGUMENT if there is no such library (with the place searched) or it lacks an entry;
  // UNAVAILABLE with the loader's text; otherwise what the agent says.
  Result<std::shared_ptr<engine::ModelAgents>> Load(engine::AgentTask task) override;

  // For the start-up table: the libraries that are open, by name.
  struct Loaded {
    std::string name, path;
  };
  std::vector<Loaded> LoadedAgents() const;

 private:
  std::string PathOf(const std::string& name) const;
  Result<std::shared_ptr<AgentLibrary>> Find(const std::string& name);

  const std::string directory_;
  mutable std::mutex mutex_;  // guards libraries_; held while one is opened
  std::map<std::string, std::shared_ptr<AgentLibrary>> libraries_;
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_AGENT_HOST_H_
