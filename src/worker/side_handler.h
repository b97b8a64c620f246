// What a worker says on its side channel, and what is done about it.
#ifndef HEADRACE_WORKER_SIDE_HANDLER_H_
#define HEADRACE_WORKER_SIDE_HANDLER_H_

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "worker/calls.h"
#include "worker/control_threads.h"
#include "worker/host_services.h"
#include "worker/json_messages.h"
#include "worker/session.h"
#include "worker/wire.h"

namespace headrace::worker {

struct SideOptions {
  std::string label;  // of the worker, for the log
  std::vector<std::string> output_names;
  HostServices* services = nullptr;          // null: the worker may ask for nothing
  std::shared_ptr<ControlThreads> controls;  // null only without services
  // Any request may have several responses, as the handlers of TorchServe's contract answer; else
  // those of decoupled models only.
  bool streams = false;
  // What READINESS says.
  std::function<void(const ReadinessMessage&)> on_readiness{};
};

// Of one session; used by its keeper's thread. Never blocks.
class SideHandler {
 public:
  SideHandler(std::shared_ptr<Session> session, const SideOptions& options);
  ~SideHandler();

  // One packet. A failure says which rule the worker broke: it must end.
  Status Handle(std::span<const std::byte> packet);

 private:
  Status Respond(std::span<const std::byte> body);
  Status Release(std::span<const std::byte> body);
  Status Drop(std::span<const std::byte> body);
  Status Log(std::span<const std::byte> body);
  // Whether one more entry may go to the log now.
  bool MayLog();
  Status Measure(std::span<const std::byte> body);
  Status Control(std::span<const std::byte> body);
  Status TakeMetricLines(std::string_view lines);
  Status ApplyMetric(MetricMessage& metric, std::string& value_json);
  // Tells the worker which of its blocks are free; failures end with the session.
  void GiveBack(std::span<const std::uint64_t> offsets);
  void GiveBack(std::span<const WireTensor> tensors);

  const std::shared_ptr<Session> session_;
  const SideOptions options_;
  const DecodeRules rules_;
  const std::shared_ptr<Calls> calls_;
  std::unique_ptr<WorkerMetrics> metrics_;
  WireDecoder decoder_;
  JsonDecoder json_;
  std::string storage_;
  Nanos log_since_ = 0;          // when the second began that log_count_ counts in
  std::uint32_t log_count_ = 0;  // of entries in it
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_SIDE_HANDLER_H_
