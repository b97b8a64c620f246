#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "bench/html_page.h"
#include "bench/svg_axis.h"
#include "bench/svg_plot.h"
#include "tune/multi_report.h"
#include "tune/report_parts.h"
#include "tune/report_plots.h"

namespace headrace::tune {
namespace {

using bench::Escaped;

std::string TitleOf(const MultiReport& report) {
  std::string names;
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    names += (i == 0 ? "" : i + 1 < report.models.size() ? ", " : " and ") + report.models[i].name;
  }
  return "headrace tune: " + names;
}

void AddAnswer(const MultiReport& report, bench::HtmlPage& page) {
  page.Section("Answer");
  if (report.met) {
    const MeasuredDivision& winner = report.divisions.front();
    const auto interval = [](const bench::Estimate& estimate) {
      return fmt::format("confirmed {}: {} to {}", RateText(estimate.value), RateText(estimate.low),
                         RateText(estimate.high));
    };
    page.Tiles({{"all requests within every SLA", RateText(winner.rate),
                 winner.confirmed ? interval(*winner.confirmed) : "not confirmed"},
                {"against what was found",
                 report.gain ? fmt::format("{:.2f} times", report.gain->value) : "-",
                 report.gain ? fmt::format("{:.2f} to {:.2f}", report.gain->low, report.gain->high)
                             : "not compared"},
                {"probes", std::to_string(report.probe_count), DurationText(report.elapsed)}});
    if (report.found_is_better()) {
      page.Note("warn", "what was found did better in the confirmation: keep it");
    }
    if (winner.rate_missed > 0) {
      page.Note("info", Escaped(fmt::format("what binds: at {}: {}", RateText(winner.rate_missed),
                                            winner.missed)));
    }
  } else {
    page.Note("bad", "nothing was found at which every model meets its SLA");
  }
  for (const std::string& note : report.notes) {
    page.Note("warn", Escaped(note));
  }
  if (report.interrupted) {
    page.Note("warn", "interrupted; this is what was known");
  }
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    const MultiPart& model = report.models[i];
    std::vector<std::string> row = {Escaped(model.name), fmt::format("{:.0f} %", model.part * 100),
                                    Escaped(SlaText(model.target))};
    if (report.met) {
      const MeasuredDivision& winner = report.divisions.front();
      const Configuration& configuration = winner.division.configurations[i];
      const Nanos latency = MultiLatency(report, i);
      row.insert(
          row.end(),
          {RateText(model.part * winner.rate), latency == kNever ? "-" : DurationText(latency),
           std::to_string(configuration.shape.cores()), Escaped(Describe(configuration))});
    } else {
      row.insert(row.end(), {"-", "-", "-", "-"});
    }
    rows.push_back(std::move(row));
  }
  page.Table({"model", "#share", "#SLA", "#rate", "#latency", "#cores", "configuration"}, rows);
}

// What a division serves as far as it is known: measured, else predicted.
double RateOf(const MeasuredDivision& measured) {
  return measured.failure.empty() && measured.rate == 0 && measured.rate_missed == 0
             ? measured.division.rate
             : measured.rate;
}

std::string KnownBy(const MeasuredDivision& measured) {
  return !measured.failure.empty()                       ? "failed"
         : measured.confirmed                            ? "confirmed"
         : measured.rate > 0 || measured.rate_missed > 0 ? "measured"
                                                         : "predicted";
}

void AddDivisions(const MultiReport& report, bench::HtmlPage& page) {
  page.Section("Divisions of the machine",
               "who has which cores, and what all models serve together within every SLA");
  std::vector<const MeasuredDivision*> all;
  for (const MeasuredDivision& measured : report.divisions) {
    all.push_back(&measured);
  }
  if (report.as_found) {
    all.push_back(&*report.as_found);
  }
  bench::StackedBarsSpec bars;
  bars.title = "Requests per second of each division, by model";
  bars.x_name = "requests per second";
  std::vector<std::string> names;
  for (const MultiPart& model : report.models) {
    names.push_back(model.name);
  }
  bars.parts = names;
  std::vector<std::vector<std::string>> rows;
  for (std::size_t d = 0; d < all.size(); ++d) {
    const MeasuredDivision& measured = *all[d];
    const bool found = report.as_found && &measured == &*report.as_found;
    const bool chosen = d == 0 && report.met;
    const std::string name = found ? "as found" : std::to_string(d + 1);
    bars.rows.push_back(name);
    std::vector<double> parts;
    for (const MultiPart& model : report.models) {
      parts.push_back(model.part * RateOf(measured));
    }
    bars.values.push_back(std::move(parts));
    bars.row_titles.push_back(DivisionText(report, measured.division));
    bars.row_ends.push_back(RateOf(measured) > 0 ? RateText(RateOf(measured)) : "no rate was met");
    rows.push_back({name + (chosen ? " " + bench::Pill("good", "chosen") : ""),
                    Escaped(DivisionText(report, measured.division)),
                    found ? "-" : std::to_string(measured.division.cores),
                    found ? "-" : RateText(measured.division.rate), KnownBy(measured),
                    Escaped(MeasuredText(measured))});
  }
  page.Legend(names, false);
  page.Figures({{.caption = "all models together, by division (predicted where not measured)",
                 .unit = "1/s",
                 .svg = bench::StackedBars(bars)}});
  page.Table({"division", "configurations", "#cores", "#predicted", "known by", "what was seen"},
             rows);
}

// What nothing with as few cores beats.
bool IsBest(const DivisionChoice& choice, const std::vector<DivisionChoice>& choices) {
  return std::none_of(choices.begin(), choices.end(), [&](const DivisionChoice& other) {
    const int cores = other.configuration.shape.cores(), own = choice.configuration.shape.cores();
    return cores <= own && other.capacity >= choice.capacity &&
           (cores < own || other.capacity > choice.capacity);
  });
}

std::string ChoicesPlot(const MultiReport& report, std::size_t index) {
  const std::vector<DivisionChoice>& choices = report.models[index].choices;
  std::vector<RatePoint> best, others, chosen;
  for (const DivisionChoice& choice : choices) {
    const RatePoint point{.configuration = choice.configuration, .rate = choice.capacity};
    const bool taken = report.met && report.divisions.front().division.configurations[index] ==
                                         choice.configuration;
    if (taken) {
      chosen.push_back(point);
    }
    (IsBest(choice, choices) ? best : others).push_back(point);
  }
  return RatePlot("What each configuration would serve with its cores to itself, over cores",
                  {{"Pareto set", std::move(best)},
                   {"others", std::move(others)},
                   {"chosen", std::move(chosen)}});
}

void AddModel(const MultiReport& report, std::size_t index, bench::HtmlPage& page) {
  const MultiPart& model = report.models[index];
  page.Section(model.name, fmt::format("{}, {:.0f} % of the requests", SlaText(model.target),
                                       model.part * 100));
  if (!model.choices.empty()) {
    page.Legend({"Pareto set", "others", "chosen"}, true);
    page.Figures({{.caption = "alone, simulated from its service times, over cores",
                   .unit = "1/s",
                   .svg = ChoicesPlot(report, index)}});
  }
  if (!model.times.columns().empty()) {
    AddServiceTimes(model.times, model.target.sla, page);
  }
  if (!model.cuts.empty()) {
    page.OpenDetails("What was left out");
    AddCuts(model.cuts, page);
    page.CloseDetails();
  }
}

}  // namespace

std::string MultiReportHtml(const MultiReport& report) {
  bench::HtmlPage page(TitleOf(report), "several models divide the machine");
  AddAnswer(report, page);
  if (!report.divisions.empty()) {
    AddDivisions(report, page);
  }
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    AddModel(report, i, page);
  }
  return page.Text();
}

}  // namespace headrace::tune
