// The parameters of management requests: of the query, or of a JSON body (contracts, TorchServe
// 2.2 and 2.3). Pure, thread-safe.
#ifndef HEADRACE_TORCHSERVE_MANAGEMENT_PARAMETERS_H_
#define HEADRACE_TORCHSERVE_MANAGEMENT_PARAMETERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/model_store.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {

// Names and values, as texts; the first of a name counts.
class ManagementParameters {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  explicit ManagementParameters(Fields fields) : fields_(std::move(fields)) {}

  std::optional<std::string> Text(std::string_view name) const;
  // Nothing also for what is no whole number of 32 bits, which counts as not said.
  std::optional<std::int64_t> Number(std::string_view name) const;
  // True for "true" alone; `otherwise` where nobody says anything.
  bool Switch(std::string_view name, bool otherwise) const;

 private:
  Fields fields_;
};

// Of the body if it is JSON (then the query has no meaning), else of the query. INVALID_ARGUMENT
// for a body that is no JSON object of plain values.
Result<ManagementParameters> ParametersOf(const ApiCall& call);

// A registration over HTTP. INVALID_ARGUMENT "Parameter url is required."
Result<store::Registration> RegistrationOf(const ManagementParameters& parameters);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_MANAGEMENT_PARAMETERS_H_
