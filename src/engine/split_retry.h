// Executes batches, and those that fail as a whole once more by halves, so that a request which
// makes an execution fail takes no others with it.
#ifndef HEADRACE_ENGINE_SPLIT_RETRY_H_
#define HEADRACE_ENGINE_SPLIT_RETRY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "engine/backend.h"
#include "engine/failed_requests.h"
#include "engine/statistics.h"

namespace headrace::engine {

// For models whose requests do not depend on each other and have one answer (not decoupled, no
// sequences); whoever makes it sees to that. An execution is tried again only if every request of
// the batch failed in it and none has an answer, with errors that speak of the execution: not of a
// server that is short of something (UNAVAILABLE, RESOURCE_EXHAUSTED), nor of clients that gave up.
// Of n requests one bad one costs 2 * log2(n) further executions, and fails alone with its own
// error; the others never hear of it.
//
// Retries are bounded by a credit: each costs one, each request of a batch of several that executed
// earns one back, up to `credit_max`. So a model that always fails is tried `credit_max` times too
// often, and then fails at once until it works again. Requests whose client has gone or whose
// deadline has passed are not tried again.
//
// Belongs to one instance's thread. Costs nothing while nothing fails but an empty list a batch.
class SplitRetry {
 public:
  using Execute = std::function<void(Batch)>;

  // `credit_max` 0: every batch is executed once. Borrows the statistics.
  SplitRetry(std::uint32_t credit_max, ModelStatistics& statistics)
      : credit_max_(credit_max), credit_(credit_max), statistics_(statistics) {}

  // Executes the batch; when it returns every request has ended or is with the backend.
  void Run(Batch batch, const Execute& execute);

  std::uint32_t credit() const { return credit_; }

 private:
  using Requests = std::vector<std::unique_ptr<InferRequest>>;
  // Executes `part`; what is to be tried again goes to `parts`, the next one last.
  void RunPart(Requests part, Nanos formed, const Execute& execute, std::vector<Requests>& parts);
  bool MayRetry(const std::vector<FailedRequests::Failed>& failed, std::size_t size) const;

  const std::uint32_t credit_max_;
  std::uint32_t credit_;
  ModelStatistics& statistics_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SPLIT_RETRY_H_
