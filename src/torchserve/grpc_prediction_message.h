// Messages of TorchServe's inference service, in place (contracts, TorchServe 4.1). Pure.
#ifndef HEADRACE_TORCHSERVE_GRPC_PREDICTION_MESSAGE_H_
#define HEADRACE_TORCHSERVE_GRPC_PREDICTION_MESSAGE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/status.h"
#include "frontend/prediction_request.h"
#include "net/grpc.h"

namespace headrace::torchserve {

struct PredictionMessage {
  static constexpr std::size_t kNameByteSizeMax = 1024;  // of names, versions and sequences
  static constexpr std::size_t kInputCountMax = 1024;

  std::string model_name, model_version;
  std::optional<std::string> sequence_id;
  // The inputs, as a form's parts are; their bytes are those of the message.
  frontend::PredictionContent content;
};

// INVALID_ARGUMENT for bytes that are no PredictionsRequest, or beyond the limits.
Result<PredictionMessage> ReadPredictionMessage(const net::GrpcMessage& message);

// A PredictionResponse. `body` is not copied; a failure becomes `status`, with its last line, if it
// has several, as the reason of an ErrorInfo.
net::GrpcMessage EncodePrediction(std::vector<Buffer> body,
                                  const std::optional<std::string>& sequence_id,
                                  const Status& failure);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_GRPC_PREDICTION_MESSAGE_H_
