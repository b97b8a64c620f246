// What a load request brings with it.
#ifndef HEADRACE_REPOSITORY_LOAD_OVERRIDE_H_
#define HEADRACE_REPOSITORY_LOAD_OVERRIDE_H_

#include <map>
#include <string>

namespace headrace::repository {

// What a load request may carry (contracts, Triton 5.3). Only kExplicit.
struct LoadOverride {
  std::string config_json;                   // empty = the repository's own configuration
  std::map<std::string, std::string> files;  // path in the model's directory -> content: the model
                                             // is made of exactly these, and of config_json, which
                                             // must be given; no repository needs to have it
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_LOAD_OVERRIDE_H_
