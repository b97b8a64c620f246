// What each model is to reach, from flags that name one of them ("A:p99=50ms", "A=3", "A:FILE") or
// mean all of them.
#ifndef HEADRACE_TUNE_GOAL_FLAGS_H_
#define HEADRACE_TUNE_GOAL_FLAGS_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tune/tune_options.h"

namespace headrace::tune {

struct ModelGoals {
  std::vector<ModelGoal> models;  // in the order of the command line; of one alone without data
  std::vector<std::string> data;  // everybody's --input-data
};

// Errors are INVALID_ARGUMENT; the flag's name stands before those of the setters.
class GoalFlags {
 public:
  Status AddModel(std::string name);
  // "p99=100ms", or for one model "NAME:p99=100ms".
  Status SetSla(std::string_view text);
  // "A=3,B=1".
  Status SetShare(std::string_view text);
  // "MODEL:DATA" is that model's, all else everybody's.
  void AddData(std::string text) { data_.push_back(std::move(text)); }

  // When all flags are known. Needs a model.
  Result<ModelGoals> Resolve() const;

 private:
  bool Known(const std::string& name) const;
  Status CheckNames() const;
  Result<Target> TargetOf(const std::string& name) const;

  std::vector<std::string> names_, data_;
  std::map<std::string, Target> targets_;  // by model; "" = of those without one
  std::map<std::string, double> shares_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_GOAL_FLAGS_H_
