// A model that the library of another backend runs: how one backend hands a model over to another.
//
// The lender exports a function LendModel under a name that both know; the borrower opens the
// lender's library, which the server may or may not have loaded for models of its own. Both are of
// one build: the interface is C++, and the name changes with it.
#ifndef HEADRACE_BACKENDS_COMMON_ACCELERATED_MODEL_H_
#define HEADRACE_BACKENDS_COMMON_ACCELERATED_MODEL_H_

#include <memory>
#include <string>

#include "common/batch_driver.h"
#include "common/model_config.h"
#include "common/model_tensors.h"
#include "triton_abi.h"

namespace headrace::backend {

// Shared by the instances of a model. Immutable; its runs may be made by any thread.
class AcceleratedModel {
 public:
  virtual ~AcceleratedModel() = default;
  virtual const ModelTensors& tensors() const = 0;
  // One executor, which keeps what it needs of the model. May throw what derives from
  // std::exception.
  virtual std::unique_ptr<RuntimeRun> MakeRun() = 0;
};

struct LendRequest {
  std::string path;               // of the model's file
  std::string model_directory;    // <repository>/<model>
  std::string library_directory;  // the lender's
  ModelConfig config;             // its parameters are the lender's
};

using LendModel = TRITONSERVER_Error*(const LendRequest& request,
                                      std::shared_ptr<AcceleratedModel>* model);

// Of libtriton_openvino.so.
inline constexpr const char* kLendOpenVinoModel = "HEADRACE_LendOpenVinoModel2";

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_ACCELERATED_MODEL_H_
