// What a model's configuration says to whoever sends it load.
#ifndef HEADRACE_LOAD_MODEL_CONFIG_FACTS_H_
#define HEADRACE_LOAD_MODEL_CONFIG_FACTS_H_

#include <string>

#include "base/status.h"
#include "load/server_control.h"

namespace headrace::load {

// Adds what `config_json` (contracts, Triton 1.5) says to `facts`: batches, decoupled, sequences,
// composing models, and the text itself. INVALID_ARGUMENT naming `url` for what is no such
// document.
Status AddConfig(std::string config_json, const std::string& url, ModelFacts& facts);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_MODEL_CONFIG_FACTS_H_
