#include "engine/runner.h"

#include <exception>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace headrace::engine {

Model::Runner::Runner(std::unique_ptr<Instance> instance, Target target)
    : instance_(std::move(instance)), target_(std::move(target)) {}

Model::Runner::~Runner() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Model::Runner::Start(std::string name) {
  thread_ = std::thread([this, name = std::move(name)] {
    SetThreadName(name);
    Run();
  });
}

void Model::Runner::Run() {
  while (std::optional<Batch> batch = target_.queue->PopBatch()) {
    Execute(*std::move(batch));
  }
}

void Model::Runner::Execute(Batch batch) {
  std::uint64_t batch_size = 0;
  for (const auto& request : batch.requests) {
    request->times.executing = batch.formed;
    batch_size += static_cast<std::uint64_t>(request->batch_size);
  }
  target_.statistics->RecordBatchFormed(batch_size,
                                        batch.formed - batch.requests.front()->times.queued);
  // The root of the thread: a backend that throws loses its batch, whose requests end with INTERNAL
  // as they are destroyed.
  try {
    instance_->Execute(std::move(batch));
  } catch (const std::exception& error) {
    HEADRACE_LOG_ERROR("an instance of model '{}' threw while it executed a batch: {}",
                       target_.model_name, error.what());
  } catch (...) {
    HEADRACE_LOG_ERROR("an instance of model '{}' threw while it executed a batch",
                       target_.model_name);
  }
}

}  // namespace headrace::engine
