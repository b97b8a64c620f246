// What a model's handler says of itself: `describe` with `customized=true` (contracts,
// TorchServe 2.4).
#ifndef HEADRACE_TORCHSERVE_CUSTOMIZED_DESCRIPTION_H_
#define HEADRACE_TORCHSERVE_CUSTOMIZED_DESCRIPTION_H_

#include <functional>
#include <optional>
#include <string>

#include "frontend/torchserve_error.h"
#include "store/model_store.h"
#include "tensor/block_pool.h"

namespace headrace::torchserve {

struct CustomizedDescription {
  std::optional<frontend::TorchServeError> error;
  std::string json;  // an object; {} where the handler answers with anything else
};

// Asks a worker of `facts.model`, in a request that shares the model's queue. Does not block;
// `done` is called once, on any thread, also before the call returns. 503 in TorchServe's words
// where there is no worker. `pool` outlives the model.
void DescribeByHandler(const store::ModelFacts& facts, BlockPool& pool,
                       std::function<void(CustomizedDescription)> done);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_CUSTOMIZED_DESCRIPTION_H_
