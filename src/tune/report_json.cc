#include "protocol/json_writer.h"
#include "tune/report_parts.h"
#include "tune/report_text.h"
#include "tune/sample_json.h"

namespace headrace::tune {
namespace {

using protocol::JsonWriter;

void Write(JsonWriter& json, const Configuration& configuration) {
  json.BeginObject();
  WriteFields(json, configuration);
  json.Key("text").String(Describe(configuration)).EndObject();
}

void Write(JsonWriter& json, const Finding& finding) {
  json.BeginObject().Key("configuration");
  Write(json, finding.configuration);
  json.Key("stage").String(StageName(finding.stage)).Key("rate").Double(finding.rate());
  json.Key("predicted_rate").Double(finding.predicted).Key("rungs").Int(finding.rungs);
  if (finding.rungs > 0) {
    json.Key("estimate");
    WriteEstimate(json, bench::Estimate{.value = finding.estimate.value,
                                        .low = finding.estimate.low,
                                        .high = finding.estimate.high});
    json.Key("service_time_factor").Double(finding.estimate.factor);
  }
  if (finding.capacity) {
    json.Key("capacity").Raw(ToJson(*finding.capacity));
  }
  if (finding.confirmed) {
    json.Key("confirmed_goodput");
    WriteEstimate(json, *finding.confirmed);
  }
  if (finding.latency != kNever) {
    json.Key("latency_ns").Int(finding.latency);
  }
  json.Key("cores").Int(finding.cores()).Key("memory_bytes").Uint(finding.memory_bytes);
  json.Key("accuracy_drop").Double(finding.accuracy_drop);
  if (!finding.failure.empty()) {
    json.Key("failure").String(finding.failure);
  }
  json.EndObject();
}

void WriteTimes(JsonWriter& json, const ServiceTimes& times) {
  json.Key("service_times").BeginArray();
  for (const auto& [key, column] : times.columns()) {
    const ServiceFit fit = times.Fit(key);
    json.BeginObject().Key("variant").String(key.variant);
    json.Key("instances").Int(key.shape.instances).Key("threads").Int(key.shape.threads);
    json.Key("tau_ns").Double(fit.tau).Key("alpha_ns").Double(fit.alpha);
    json.Key("fit_error_max").Double(fit.error_max).Key("batches").BeginArray();
    for (const auto& [batch, sample] : column) {
      json.BeginObject().Key("batch").Int(batch).Key("sample").Raw(ToJson(sample)).EndObject();
    }
    json.EndArray().EndObject();
  }
  json.EndArray();
}

void WriteTexts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.Key(key).BeginArray();
  for (const std::string& text : texts) {
    json.String(text);
  }
  json.EndArray();
}

}  // namespace

std::string ReportJson(const SearchReport& report) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("model").String(report.model);
  json.Key("sla_ns").Int(report.target.sla).Key("percentile").Double(report.target.percentile);
  json.Key("met").Bool(report.winner.has_value());
  json.Key("space_size").Uint(report.space_size).Key("probe_count").Int(report.probe_count);
  json.Key("elapsed_ns").Int(report.elapsed).Key("interrupted").Bool(report.interrupted);
  if (report.winner) {
    json.Key("winner");
    Write(json, report.findings[*report.winner]);
    json.Key("binds").String(BindsName(report.why.binds)).Key("why").String(report.why.text);
  }
  if (report.as_found) {
    json.Key("as_found");
    Write(json, *report.as_found);
  }
  if (report.gain) {
    json.Key("gain");
    WriteEstimate(json, *report.gain);
    json.Key("gain_certain").Bool(report.gain_certain);
    json.Key("found_is_better").Bool(report.found_is_better());
  }
  if (report.closest_latency != kNever) {
    json.Key("closest_latency_ns").Int(report.closest_latency);
    json.Key("closest").String(report.closest);
  }
  json.Key("pareto").BeginArray();
  for (const std::size_t i : ParetoSet(report.findings)) {
    json.Uint(i);
  }
  json.EndArray().Key("findings").BeginArray();
  for (const Finding& finding : report.findings) {
    Write(json, finding);
  }
  json.EndArray().Key("cuts").BeginArray();
  for (const Cut& cut : report.cuts) {
    json.BeginObject().Key("rule").String(CutRuleName(cut.rule)).Key("what").String(cut.what);
    json.Key("reason").String(cut.reason).Key("count").Uint(cut.count).EndObject();
  }
  json.EndArray();
  WriteTexts(json, "advice", report.advice);
  WriteTexts(json, "notes", report.notes);
  WriteTimes(json, report.times);
  json.EndObject();
  return text;
}

}  // namespace headrace::tune
