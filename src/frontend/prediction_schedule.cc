#include "frontend/prediction_schedule.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

namespace headrace::frontend {
namespace {

Result<std::uint64_t> PriorityOf(const net::HttpRequestHead& head, const std::string& name) {
  const auto text = head.Header(name);
  if (!text) {
    return std::uint64_t{0};
  }
  std::uint64_t priority = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), priority);
  if (error != std::errc() || end != text->data() + text->size() || priority == 0) {
    return InvalidArgument("header '{}' must be a whole number from 1, the highest, on", name);
  }
  return priority;
}

}  // namespace

Result<PredictionPlan> PlanPrediction(const net::HttpRequestHead& head, const engine::Model& model,
                                      const FrontEndOptions& options, std::string_view request_id) {
  PredictionPlan plan;
  HEADRACE_ASSIGN_OR_RETURN(plan.priority, PriorityOf(head, options.priority_header));
  const auto& sequences = model.options().sequences;
  plan.handler_id = sequences && sequences->iterative ? NewRequestId() : std::string(request_id);
  if (!sequences || !sequences->starts_by_itself) {
    return plan;
  }
  if (const auto id = head.Header(options.sequence_id_header); id && !id->empty()) {
    plan.sequence_id = *id;
  } else {
    plan.sequence_id = "ts-seq-" + NewRequestId();
    plan.headers = {{options.sequence_id_header, plan.sequence_id},
                    {options.sequence_start_header, "true"}};
  }
  return plan;
}

}  // namespace headrace::frontend
