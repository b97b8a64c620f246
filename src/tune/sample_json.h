// Samples as JSON, for resume files and reports, and back. Pure.
#ifndef HEADRACE_TUNE_SAMPLE_JSON_H_
#define HEADRACE_TUNE_SAMPLE_JSON_H_

#include <string>

#include "bench/json_value.h"
#include "tune/prober.h"

namespace headrace::tune {

std::string ToJson(const ServiceSample& sample);
std::string ToJson(const LoadSample& sample);
std::string ToJson(const CapacitySample& sample);

// What a member does not say is as in a sample that is new.
ServiceSample ReadServiceSample(const bench::JsonValue& json);
LoadSample ReadLoadSample(const bench::JsonValue& json);
CapacitySample ReadCapacitySample(const bench::JsonValue& json);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_SAMPLE_JSON_H_
