#include "engine/split_retry.h"

#include <algorithm>
#include <utility>

namespace headrace::engine {
namespace {

// Each failure that is split is tried again in two executions.
constexpr std::uint32_t kPartCount = 2;

bool SpeaksOfTheExecution(const Status& error) {
  switch (error.code()) {
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
    case StatusCode::kCancelled:
    case StatusCode::kDeadlineExceeded:
      return false;
    default:
      return true;
  }
}

void EndWith(FailedRequests::Failed failed) {
  const FailureReason reason = failed.error.code() == StatusCode::kCancelled
                                   ? FailureReason::kCanceled
                                   : FailureReason::kBackend;
  failed.request->Finish(std::move(failed.error), reason);
}

// Nobody waits for the answer any more.
bool IsOver(const InferRequest& request, Nanos now) {
  return request.Cancelled() || request.deadline <= now;
}

}  // namespace

void SplitRetry::Run(Batch batch, const Execute& execute) {
  if (credit_max_ == 0 || batch.requests.size() < 2) {
    execute(std::move(batch));
    return;
  }
  std::vector<Requests> parts;
  RunPart(std::move(batch.requests), batch.formed, execute, parts);
  while (!parts.empty()) {
    Requests part = std::move(parts.back());
    parts.pop_back();
    statistics_.RecordBatchRetry();
    RunPart(std::move(part), batch.formed, execute, parts);
  }
}

void SplitRetry::RunPart(Requests part, Nanos formed, const Execute& execute,
                         std::vector<Requests>& parts) {
  const std::size_t size = part.size();
  FailedRequests held;
  execute({.requests = std::move(part), .formed = formed, .failed = size > 1 ? &held : nullptr});
  std::vector<FailedRequests::Failed> failed = held.TakeAll();
  if (failed.empty() && size > 1) {
    credit_ = std::min<std::uint32_t>(credit_max_, credit_ + static_cast<std::uint32_t>(size));
  }
  if (failed.empty()) {
    return;
  }
  if (!MayRetry(failed, size)) {
    for (FailedRequests::Failed& each : failed) {
      EndWith(std::move(each));
    }
    return;
  }
  Requests again;
  const Nanos now = Clock::Real().Now();
  for (FailedRequests::Failed& each : failed) {
    if (IsOver(*each.request, now)) {
      EndWith({std::move(each.request),
               Cancelled("the client has gone, or its deadline has passed; the execution that the "
                         "request was part of failed: {}",
                         each.error.message())});
    } else {
      again.push_back(std::move(each.request));
    }
  }
  if (again.empty()) {
    return;
  }
  const auto middle = again.begin() + static_cast<std::ptrdiff_t>((again.size() + 1) / 2);
  Requests second(std::make_move_iterator(middle), std::make_move_iterator(again.end()));
  again.erase(middle, again.end());
  if (!second.empty()) {
    parts.push_back(std::move(second));
    --credit_;
  }
  parts.push_back(std::move(again));
  --credit_;
}

bool SplitRetry::MayRetry(const std::vector<FailedRequests::Failed>& failed,
                          std::size_t size) const {
  return failed.size() == size && credit_ >= kPartCount &&
         std::all_of(failed.begin(), failed.end(), [](const FailedRequests::Failed& each) {
           return SpeaksOfTheExecution(each.error);
         });
}

}  // namespace headrace::engine
