// One prediction from a gRPC message to the engine and back (contracts, TorchServe 4.3).
#ifndef HEADRACE_TORCHSERVE_GRPC_PREDICTION_H_
#define HEADRACE_TORCHSERVE_GRPC_PREDICTION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/model.h"
#include "frontend/prediction_request.h"
#include "tensor/buffer.h"
#include "torchserve/grpc_method.h"

namespace headrace::torchserve {

// Where a prediction's answers go. All on the call's loop; not called any more once the call is
// over.
class GrpcPredictionReceiver {
 public:
  virtual ~GrpcPredictionReceiver() = default;
  // One answer of several; the last one comes with the end.
  virtual void OnPiece(std::vector<Buffer> body) = 0;
  // The end, once: the last answer, or why there is none, in TorchServe's words.
  virtual void OnEnd(Status status, std::vector<Buffer> body) = 0;
};

struct GrpcPrediction {
  std::string model_name, model_version;  // version empty: the default one
  frontend::PredictionContent content;
  std::optional<std::string> sequence_id = {};
  bool starts_sequence = false;
};

// Finds the model and submits the request; refusals go to `receiver` at once. A request whose call
// is cancelled is dropped while it waits, and disturbs no worker when it runs.
void SubmitPrediction(GrpcApiCall& call, GrpcPrediction prediction,
                      std::shared_ptr<GrpcPredictionReceiver> receiver);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_GRPC_PREDICTION_H_
