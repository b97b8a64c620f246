#include "tune/multi_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "protocol/json_writer.h"
#include "tune/report_parts.h"
#include "tune/tune_comment.h"

namespace headrace::tune {
namespace {

using protocol::JsonWriter;

void AddModels(const MultiReport& report, std::string& text) {
  const MeasuredDivision& winner = report.divisions.front();
  std::size_t width = 5;
  for (const MultiPart& model : report.models) {
    width = std::max(width, model.name.size());
  }
  text += fmt::format("\n  {:<{}}  {:>5}  {:>10}  {:>18}  {:>10}  {:>5}  {}\n", "model", width,
                      "share", "rate", "SLA", "latency", "cores", "configuration");
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    const MultiPart& model = report.models[i];
    const Configuration& configuration = winner.division.configurations[i];
    text += fmt::format("  {:<{}}  {:>3.0f} %  {:>10}  {:>18}  {:>10}  {:>5}  {}\n", model.name,
                        width, model.part * 100, RateText(model.part * winner.rate),
                        SlaText(model.target), DurationText(MultiLatency(report, i)),
                        configuration.shape.cores(), Describe(configuration));
  }
}

void AddOthers(const MultiReport& report, std::string& text) {
  if (report.divisions.size() < 2 && !report.as_found) {
    return;
  }
  text += "\nother divisions of the machine:\n";
  const auto add = [&](const MeasuredDivision& other) {
    text += fmt::format("  {}: {}\n", DivisionText(report, other.division), MeasuredText(other));
  };
  std::for_each(report.divisions.begin() + (report.met ? 1 : 0), report.divisions.end(), add);
  if (report.as_found) {
    add(*report.as_found);
  }
}

void Write(JsonWriter& json, const MultiReport& report, const MeasuredDivision& measured) {
  json.BeginObject().Key("rate").Double(measured.rate);
  json.Key("predicted_rate").Double(measured.division.rate);
  json.Key("cores").Int(measured.division.cores);
  if (measured.rate_missed > 0) {
    json.Key("rate_missed").Double(measured.rate_missed).Key("missed").String(measured.missed);
  }
  if (measured.confirmed) {
    json.Key("confirmed_goodput");
    WriteEstimate(json, *measured.confirmed);
  }
  if (!measured.failure.empty()) {
    json.Key("failure").String(measured.failure);
  }
  json.Key("models").BeginArray();
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    const Configuration& configuration = measured.division.configurations[i];
    json.BeginObject().Key("model").String(report.models[i].name);
    WriteFields(json, configuration);
    if (i < measured.at_rate.size() && measured.at_rate[i].latency != kNever) {
      json.Key("rate").Double(measured.at_rate[i].rate);
      json.Key("goodput").Double(measured.at_rate[i].goodput);
      json.Key("latency_ns").Int(measured.at_rate[i].latency);
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
}

}  // namespace

Nanos MultiLatency(const MultiReport& report, std::size_t index) {
  std::vector<Nanos> latencies = report.models[index].latencies;
  if (latencies.empty()) {
    const MixSample& sample = report.divisions.front().at_rate;
    return index < sample.size() ? sample[index].latency : kNever;
  }
  const auto middle = latencies.begin() + static_cast<std::ptrdiff_t>(latencies.size() / 2);
  std::nth_element(latencies.begin(), middle, latencies.end());
  return *middle;
}

std::string DivisionText(const MultiReport& report, const Division& division) {
  std::string text;
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    text += fmt::format("{}{}: {}", i > 0 ? "; " : "", report.models[i].name,
                        Describe(division.configurations[i]));
  }
  return text;
}

std::string MeasuredText(const MeasuredDivision& measured) {
  if (!measured.failure.empty()) {
    return measured.failure;
  }
  if (measured.rate > 0) {
    return fmt::format("{} of all requests", RateText(measured.rate));
  }
  if (measured.rate_missed > 0) {
    return fmt::format("misses at {}: {}", RateText(measured.rate_missed), measured.missed);
  }
  return fmt::format("{} by arithmetic and simulation; not measured",
                     RateText(measured.division.rate));
}

std::string MultiReportText(const MultiReport& report) {
  std::string text;
  if (report.met) {
    const MeasuredDivision& winner = report.divisions.front();
    text += fmt::format("{} of all requests within every SLA\n", RateText(winner.rate));
    if (winner.confirmed) {
      text += fmt::format("  confirmed: {} of it within the SLAs ({} to {})\n",
                          RateText(winner.confirmed->value), RateText(winner.confirmed->low),
                          RateText(winner.confirmed->high));
    }
    if (report.gain) {
      text += fmt::format("  against what was found: {:.2f} times ({:.2f} to {:.2f})\n",
                          report.gain->value, report.gain->low, report.gain->high);
    }
    if (report.found_is_better()) {
      text += "  what was found did better in the confirmation: keep it\n";
    }
    if (winner.rate_missed > 0) {
      text += fmt::format("  what binds: at {}: {}\n", RateText(winner.rate_missed), winner.missed);
    }
    AddModels(report, text);
  } else {
    text += "nothing was found at which every model meets its SLA\n";
  }
  AddOthers(report, text);
  text += fmt::format("\n{} probes in {}\n", report.probe_count, DurationText(report.elapsed));
  for (const MultiPart& model : report.models) {
    for (const Cut& cut : model.cuts) {
      text += fmt::format("  {}: {}: {}\n", model.name, cut.what, cut.reason);
    }
  }
  AddNotes(report.notes, report.interrupted, text);
  return text;
}

std::string MultiReportJson(const MultiReport& report) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("met").Bool(report.met).Key("interrupted").Bool(report.interrupted);
  json.Key("elapsed_ns").Int(report.elapsed).Key("probe_count").Int(report.probe_count);
  json.Key("models").BeginArray();
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    const MultiPart& model = report.models[i];
    json.BeginObject().Key("model").String(model.name).Key("share").Double(model.part);
    json.Key("sla_ns").Int(model.target.sla).Key("percentile").Double(model.target.percentile);
    if (report.met && MultiLatency(report, i) != kNever) {
      json.Key("latency_ns").Int(MultiLatency(report, i));
    }
    json.EndObject();
  }
  json.EndArray().Key("divisions").BeginArray();
  for (const MeasuredDivision& measured : report.divisions) {
    Write(json, report, measured);
  }
  json.EndArray();
  if (report.as_found) {
    json.Key("as_found");
    Write(json, report, *report.as_found);
  }
  if (report.gain) {
    json.Key("gain");
    WriteEstimate(json, *report.gain);
  }
  json.Key("notes").BeginArray();
  for (const std::string& note : report.notes) {
    json.String(note);
  }
  json.EndArray().EndObject();
  return text;
}

std::string MultiComment(const MultiReport& report, std::size_t index) {
  const MultiPart& model = report.models[index];
  const MeasuredDivision& winner = report.divisions.front();
  std::string others;
  for (const MultiPart& other : report.models) {
    others += &other == &model ? "" : (others.empty() ? "" : ", ") + other.name;
  }
  return fmt::format("{}{} with {}, beside {}\n{}", kCommentMark,
                     RateText(model.part * winner.rate), SlaText(model.target), others,
                     Describe(winner.division.configurations[index]));
}

}  // namespace headrace::tune
