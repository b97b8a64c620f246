// Who wants to hear of predictions on their way to a model.
#ifndef HEADRACE_FRONTEND_PREDICTION_WATCHER_H_
#define HEADRACE_FRONTEND_PREDICTION_WATCHER_H_

#include <memory>
#include <string_view>

#include "engine/response_sink.h"
#include "frontend/infer_submit.h"

namespace headrace::frontend {

// Thread-safe; must not block.
class PredictionWatcher {
 public:
  virtual ~PredictionWatcher() = default;
  // Called before a request for a handler's model is submitted. May put an observer into
  // `submission` and something around `sink`. `version`: as the client gave it, empty for none.
  virtual void WatchPrediction(std::string_view model, std::string_view version,
                               InferSubmission& submission,
                               std::unique_ptr<engine::ResponseSink>& sink) = 0;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PREDICTION_WATCHER_H_
