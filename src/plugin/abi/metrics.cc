// Entries of family "metrics".
#include "plugin/custom_metrics.h"

using headrace::InvalidArgument;
using headrace::plugin::Answer;
using headrace::plugin::CustomMetrics;
using headrace::plugin::ToTriton;

extern "C" {

TRITONSERVER_Error* TRITONSERVER_MetricFamilyNew(TRITONSERVER_MetricFamily** family,
                                                 const TRITONSERVER_MetricKind kind,
                                                 const char* name, const char* description) {
  *family = nullptr;
  return Answer([&] {
    auto result = CustomMetrics::OfProcess().NewFamily(kind, name, description);
    *family = result.ok() ? *result : nullptr;
    return ToTriton(result.status());
  });
}

TRITONSERVER_Error* TRITONSERVER_MetricFamilyDelete(TRITONSERVER_MetricFamily* family) {
  return Answer([&] { return ToTriton(CustomMetrics::OfProcess().DeleteFamily(family)); });
}

TRITONSERVER_Error* TRITONSERVER_GetMetricFamilyKind(TRITONSERVER_MetricFamily* family,
                                                     TRITONSERVER_MetricKind* kind) {
  *kind = family->kind;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_MetricArgsNew(TRITONSERVER_MetricArgs** args) {
  return Answer([&]() -> TRITONSERVER_Error* {
    *args = new TRITONSERVER_MetricArgs();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_MetricArgsSetHistogram(TRITONSERVER_MetricArgs* args,
                                                        const double* buckets,
                                                        const uint64_t buckets_count) {
  return Answer([&]() -> TRITONSERVER_Error* {
    args->buckets.assign(buckets, buckets + buckets_count);
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_MetricArgsDelete(TRITONSERVER_MetricArgs* args) {
  delete args;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_MetricNew(TRITONSERVER_Metric** metric,
                                           TRITONSERVER_MetricFamily* family,
                                           const TRITONSERVER_Parameter** labels,
                                           const uint64_t label_count) {
  return TRITONSERVER_MetricNewWithArgs(metric, family, labels, label_count, nullptr);
}

TRITONSERVER_Error* TRITONSERVER_MetricNewWithArgs(TRITONSERVER_Metric** metric,
                                                   TRITONSERVER_MetricFamily* family,
                                                   const TRITONSERVER_Parameter** labels,
                                                   const uint64_t label_count,
                                                   const TRITONSERVER_MetricArgs* args) {
  *metric = nullptr;
  return Answer([&] {
    headrace::telemetry::Labels pairs;
    for (std::uint64_t i = 0; i < label_count; ++i) {
      const auto* text = std::get_if<std::string>(&labels[i]->value);
      if (labels[i]->type != TRITONSERVER_PARAMETER_STRING || text == nullptr) {
        return ToTriton(InvalidArgument("label '{}' is not a string", labels[i]->name));
      }
      pairs.emplace_back(labels[i]->name, *text);
    }
    auto result = CustomMetrics::OfProcess().NewMetric(
        family, std::move(pairs), args == nullptr ? std::vector<double>() : args->buckets);
    *metric = result.ok() ? *result : nullptr;
    return ToTriton(result.status());
  });
}

TRITONSERVER_Error* TRITONSERVER_MetricDelete(TRITONSERVER_Metric* metric) {
  return Answer([&]() -> TRITONSERVER_Error* {
    CustomMetrics::OfProcess().DeleteMetric(metric);
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_MetricValue(TRITONSERVER_Metric* metric, double* value) {
  return Answer([&] {
    const auto result = CustomMetrics::OfProcess().Value(*metric);
    *value = result.ok() ? *result : 0;
    return ToTriton(result.status());
  });
}

TRITONSERVER_Error* TRITONSERVER_MetricIncrement(TRITONSERVER_Metric* metric, double value) {
  return Answer([&] { return ToTriton(CustomMetrics::OfProcess().Increment(*metric, value)); });
}

TRITONSERVER_Error* TRITONSERVER_MetricSet(TRITONSERVER_Metric* metric, double value) {
  return Answer([&] { return ToTriton(CustomMetrics::OfProcess().Set(*metric, value)); });
}

TRITONSERVER_Error* TRITONSERVER_MetricObserve(TRITONSERVER_Metric* metric, double value) {
  return Answer([&] { return ToTriton(CustomMetrics::OfProcess().Observe(*metric, value)); });
}

TRITONSERVER_Error* TRITONSERVER_GetMetricKind(TRITONSERVER_Metric* metric,
                                               TRITONSERVER_MetricKind* kind) {
  *kind = metric->family->kind;
  return nullptr;
}

}  // extern "C"
