#include "tune/journal.h"

#include <fmt/format.h>

#include "bench/json_value.h"
#include "tune/sample_json.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;

}  // namespace

Result<std::unique_ptr<Journal>> Journal::Open(const std::string& path, const std::string& head,
                                               Prober& prober) {
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<JournalFile> file, JournalFile::Open(path, head));
  return std::unique_ptr<Journal>(new Journal(std::move(file), prober));
}

Result<ServiceSample> Journal::Service(const Configuration& configuration, std::int64_t batch,
                                       int concurrent, Nanos duration) {
  const std::string key =
      fmt::format("{}service {} | {} x {}", scope_, Describe(configuration), batch, concurrent);
  if (const std::string known = file_.Take(key); !known.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const JsonValue json, JsonValue::Parse(known));
    return ReadServiceSample(json);
  }
  HEADRACE_ASSIGN_OR_RETURN(ServiceSample sample,
                            prober_.Service(configuration, batch, concurrent, duration));
  if (!prober_.Stopped()) {
    file_.Write(key, ToJson(sample));
  }
  return sample;
}

Result<LoadSample> Journal::Load(const Configuration& configuration, double rate, Nanos duration) {
  const std::string key = fmt::format("{}load {} | {:.4g}", scope_, Describe(configuration), rate);
  if (const std::string known = file_.Take(key); !known.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const JsonValue json, JsonValue::Parse(known));
    return ReadLoadSample(json);
  }
  HEADRACE_ASSIGN_OR_RETURN(LoadSample sample, prober_.Load(configuration, rate, duration));
  if (!prober_.Stopped()) {
    file_.Write(key, ToJson(sample));
  }
  return sample;
}

Result<CapacitySample> Journal::Capacity(const Configuration& configuration, double rate_start,
                                         double precision, Nanos time) {
  const std::string key = fmt::format("{}capacity {}", scope_, Describe(configuration));
  if (const std::string known = file_.Take(key); !known.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const JsonValue json, JsonValue::Parse(known));
    return ReadCapacitySample(json);
  }
  HEADRACE_ASSIGN_OR_RETURN(CapacitySample sample,
                            prober_.Capacity(configuration, rate_start, precision, time));
  if (!prober_.Stopped()) {
    file_.Write(key, ToJson(sample));
  }
  return sample;
}

}  // namespace headrace::tune
