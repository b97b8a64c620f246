// What the server needs to know of a Python model's configuration. Pure.
#ifndef HEADRACE_WORKER_MODEL_FACTS_H_
#define HEADRACE_WORKER_MODEL_FACTS_H_

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace headrace::worker {

struct ModelFacts {
  std::vector<std::string> input_names, output_names;  // in the configuration's order
  bool decoupled = false;
  int instance_count = 1;                         // of all groups
  std::string model_file;                         // default_model_filename, or model.py
  std::map<std::string, std::string> parameters;  // their string values
};

// `config_json`: the model configuration, as engine::LoadSpec has it.
Result<ModelFacts> ReadModelFacts(const std::string& config_json);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_MODEL_FACTS_H_
