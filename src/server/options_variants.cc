#include "repository/names.h"
#include "server/option_rows.h"

namespace headrace::server {
namespace {

Status SetVariants(ServerConfig& config, std::string_view text) {
  // A variant is named like a model.
  if (!repository::CheckModelName(text).ok()) {
    return InvalidArgument("expected applied, best, off, or the name of a variant, got '{}'", text);
  }
  config.model_variants = text;
  return OkStatus();
}

}  // namespace

void AppendVariantOptions(std::vector<Option>& options) {
  options.push_back(
      {.name = "model-variants",
       .alias = "",
       .group = "Models",
       .value = "applied|best|off|NAME",
       .help =
           "Which of the variants that `headrace optimize` has put beside a model serves in its "
           "place: the one that was applied there, the fastest that this machine can run, "
           "none, or the one of that name. A model's parameter 'model_variants' wins over it.",
       .set = SetVariants,
       .get = [](const ServerConfig& config) { return config.model_variants; }});
}

}  // namespace headrace::server
