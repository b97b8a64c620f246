// For every field of a model configuration: what becomes of it. Nothing that a configuration says
// is ignored in silence. Pure.
#ifndef HEADRACE_REPOSITORY_FIELD_VERDICTS_H_
#define HEADRACE_REPOSITORY_FIELD_VERDICTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

enum class Verdict : std::uint8_t {
  kActedOn,  // Headrace does what the field says; the fields of a message have verdicts of their
             // own
  kBackend,  // the backend reads it from the configuration that it is handed; with all that lies
             // below
  kWarned,   // has no effect here, which changes no answer: a line in the log names it; with all
             // that lies below
  kRefused,  // having no effect would change what clients see: the model is not loaded; with all
             // that lies below
};

struct FieldVerdict {
  std::string_view path;  // "dynamic_batching.priority_levels"
  Verdict verdict;
  std::string_view reason;  // completes "field 'x' ...", for kWarned and kRefused
};

// The table, in the order of model_config.proto.
std::span<const FieldVerdict> FieldVerdicts();

// The verdict on a path: its own entry, or that of the nearest message above it which does not say
// kActedOn. Null if there is none.
const FieldVerdict* FindVerdict(std::string_view path);

// Judges what `config` (before defaults are filled in) sets. UNIMPLEMENTED with the first refused
// field's name and reason; otherwise one text for each warning, each field once.
Result<std::vector<std::string>> JudgeFields(const inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_FIELD_VERDICTS_H_
