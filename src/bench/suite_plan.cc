#include "bench/suite_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace headrace::bench {
namespace {

constexpr Nanos kUnknownTime = 30 * kSecond;
constexpr Nanos kConnectTime = 200 * kMillisecond;

// FNV-1a.
std::uint64_t Digest(const std::string& text) {
  std::uint64_t digest = 14695981039346656037u;
  for (const char c : text) {
    digest = (digest ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return digest;
}

template <typename T>
std::vector<std::optional<T>> Choices(const std::vector<T>& values) {
  std::vector<std::optional<T>> choices(values.begin(), values.end());
  return choices.empty() ? std::vector<std::optional<T>>{std::nullopt} : choices;
}

std::vector<ConfigChange> Configurations(const SuiteModel& model) {
  std::vector<ConfigChange> list;
  for (const auto& device : Choices(model.devices)) {
    for (const auto& batch : Choices(model.max_batch_sizes)) {
      for (const auto& delay : Choices(model.delays_us)) {
        for (const auto& instances : Choices(model.instances)) {
          ConfigChange change;
          change.device = device;
          change.max_batch_size = batch;
          if (delay && batch.value_or(1) > 0) {
            change.queue_delay_us = static_cast<std::uint64_t>(*delay);
          }
          change.instance_count = instances;
          change.merge_patch = model.merge_patch;
          if (std::find(list.begin(), list.end(), change) == list.end()) {
            list.push_back(std::move(change));
          }
        }
      }
    }
  }
  return list;
}

LevelSpec LevelOf(const SuiteModel& model, const load::ArrivalSpec& load) {
  LevelSpec level;
  level.arrivals = load;
  level.stop.duration = model.duration;
  level.stop.request_count = model.request_count;
  level.stop.interval_width = model.interval_width;
  level.warmup_max = model.warmup_max;
  level.warmup_request_count = model.warmup_request_count;
  level.percentile = model.percentile;
  level.sla = model.sla;
  return level;
}

std::string SettingsText(const SuiteSpec& spec, const SuiteModel& model, const LevelSpec& level) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", model.model,
                     model.version, model.url, model.merge_patch, level.stop.duration,
                     level.stop.request_count, level.stop.interval_width, level.warmup_max,
                     level.warmup_request_count, model.request_timeout, level.percentile,
                     level.sla.value_or(0), fmt::join(model.inputs, "|"),
                     fmt::join(model.shapes, "|"), model.content_type, spec.seed, spec.sender_count,
                     static_cast<int>(spec.server.protocol), spec.server.url,
                     fmt::join(spec.server.repositories, "|"), spec.server.model_store);
}

void AddLabels(const SuiteModel& model, SuitePoint& point) {
  std::map<std::string, std::string>& labels = point.level.labels;
  labels["model"] = model.name;
  if (point.change.device) {
    labels["device"] = *point.change.device;
  }
  if (point.change.instance_count) {
    labels["instances"] = std::to_string(*point.change.instance_count);
  }
  if (point.change.max_batch_size) {
    labels["max_batch"] = std::to_string(*point.change.max_batch_size);
  }
  if (point.change.queue_delay_us) {
    labels["delay_us"] = std::to_string(*point.change.queue_delay_us);
  }
  if (model.request_batch_sizes != std::vector<std::int64_t>{1}) {
    labels["request_batch"] = std::to_string(point.request_batch_size);
  }
  if (model.repeat > 1) {
    labels["round"] = std::to_string(point.round);
  }
}

std::string NameOf(const SuiteModel& model, const SuitePoint& point) {
  ConfigChange shown = point.change;
  shown.merge_patch.clear();
  std::string name = model.name;
  if (shown != ConfigChange()) {
    name += ", " + Describe(shown);
  }
  if (point.request_batch_size != 1) {
    name += fmt::format(" | requests of {}", point.request_batch_size);
  }
  const load::ArrivalSpec& load = point.level.arrivals;
  name += " | ";
  if (!load.open()) {
    name += fmt::format("closed, {} at a time", load.concurrency);
  } else {
    name += load.kind == load::ArrivalSpec::Kind::kPoisson ? "poisson"
            : load.kind == load::ArrivalSpec::Kind::kConstant
                ? "constant"
                : fmt::format("gamma({})", load.burstiness);
    name += fmt::format(" {}/s", load.rate);
  }
  if (model.repeat > 1) {
    name += fmt::format(" | round {} of {}", point.round, model.repeat);
  }
  return name;
}

}  // namespace

Result<std::vector<SuitePoint>> PlanSuite(const SuiteSpec& spec) {
  std::vector<SuitePoint> points;
  std::size_t configuration = 0;
  for (std::size_t index = 0; index < spec.models.size(); ++index) {
    const SuiteModel& model = spec.models[index];
    for (const ConfigChange& change : Configurations(model)) {
      for (int round = 1; round <= model.repeat; ++round) {
        for (const std::int64_t request_batch : model.request_batch_sizes) {
          for (const load::ArrivalSpec& load : model.loads) {
            if (points.size() == kSuitePointsMax) {
              return InvalidArgument("{}: more than {} points; take values out of model '{}'",
                                     spec.file, kSuitePointsMax, model.name);
            }
            SuitePoint point;
            point.model = index;
            point.configuration = configuration;
            point.change = change;
            point.request_batch_size = request_batch;
            point.round = round;
            point.level = LevelOf(model, load);
            if (load.open()) {  // other rounds have other arrivals, and each suite the same ones
              point.level.arrivals.seed = load.seed + static_cast<std::uint64_t>(round) - 1;
            }
            AddLabels(model, point);
            point.name = NameOf(model, point);
            point.key = fmt::format("{} #{:016x}", point.name,
                                    Digest(SettingsText(spec, model, point.level)));
            points.push_back(std::move(point));
          }
        }
      }
      ++configuration;
    }
  }
  return points;
}

std::size_t ConfigurationCount(const std::vector<SuitePoint>& points) {
  return points.empty() ? 0 : points.back().configuration + 1;
}

Nanos EstimatedTime(const SuitePoint& point, double known_rate) {
  const LevelSpec& level = point.level;
  const double rate = level.arrivals.open() ? level.arrivals.rate : known_rate;
  // By a count where there is one, else by the time that is the bound.
  const auto bounded = [&](std::uint64_t count, Nanos bound) {
    if (count == 0) {
      return bound;
    }
    const Nanos by_count =
        rate > 0 ? static_cast<Nanos>(std::min(1e17, static_cast<double>(count) / rate * 1e9))
                 : kUnknownTime;
    return std::min(by_count, bound);
  };
  return kConnectTime + bounded(level.warmup_request_count, level.warmup_max) +
         bounded(level.stop.request_count, level.stop.duration);
}

Nanos EstimatedTime(const std::vector<SuitePoint>& points, std::size_t first, double known_rate,
                    Nanos reload_time) {
  Nanos total = 0;
  for (std::size_t i = first; i < points.size(); ++i) {
    const bool reload = i == 0 || points[i].configuration != points[i - 1].configuration;
    total += EstimatedTime(points[i], known_rate) + (reload ? reload_time : 0);
  }
  return total;
}

std::string CaseName(const SuiteModel& model, const SuitePoint& point) {
  return fmt::format("{}_w{}_b{}", model.name, point.change.instance_count.value_or(1),
                     point.change.max_batch_size.value_or(1));
}

}  // namespace headrace::bench
