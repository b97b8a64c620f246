#include "bench/server_figures.h"

#include <utility>

namespace headrace::bench {
namespace {

constexpr std::size_t kModelMax = 64;  // of an ensemble, with all that it is made of

void Add(const load::ModelStatistics& more, load::ModelStatistics& sum) {
  using S = load::ModelStatistics;
  constexpr std::uint64_t S::*kCounters[] = {&S::inference_count,      &S::execution_count,
                                             &S::success_count,        &S::success_ns,
                                             &S::fail_count,           &S::fail_ns,
                                             &S::queue_count,          &S::queue_ns,
                                             &S::compute_input_count,  &S::compute_input_ns,
                                             &S::compute_infer_count,  &S::compute_infer_ns,
                                             &S::compute_output_count, &S::compute_output_ns,
                                             &S::cache_hit_count,      &S::cache_hit_ns,
                                             &S::cache_miss_count,     &S::cache_miss_ns};
  for (const auto counter : kCounters) {
    sum.*counter += more.*counter;
  }
  for (const auto& [size, count] : more.batches) {
    sum.batches[size] += count;
  }
}

// A model that was loaded again counts from zero again.
std::uint64_t Grown(std::uint64_t before, std::uint64_t after) {
  return after >= before ? after - before : after;
}

double Mean(std::uint64_t before_ns, std::uint64_t after_ns, std::uint64_t count) {
  return count == 0 ? 0
                    : static_cast<double>(Grown(before_ns, after_ns)) / static_cast<double>(count);
}

ServerFigures Between(const load::ModelStatistics& a, const load::ModelStatistics& b) {
  ServerFigures figures;
  figures.inference_count = Grown(a.inference_count, b.inference_count);
  figures.execution_count = Grown(a.execution_count, b.execution_count);
  figures.success_count = Grown(a.success_count, b.success_count);
  figures.fail_count = Grown(a.fail_count, b.fail_count);
  figures.request_mean = Mean(a.success_ns, b.success_ns, figures.success_count);
  figures.queue_mean = Mean(a.queue_ns, b.queue_ns, Grown(a.queue_count, b.queue_count));
  figures.compute_input_mean = Mean(a.compute_input_ns, b.compute_input_ns,
                                    Grown(a.compute_input_count, b.compute_input_count));
  figures.compute_infer_mean = Mean(a.compute_infer_ns, b.compute_infer_ns,
                                    Grown(a.compute_infer_count, b.compute_infer_count));
  figures.compute_output_mean = Mean(a.compute_output_ns, b.compute_output_ns,
                                     Grown(a.compute_output_count, b.compute_output_count));
  figures.cache_hit_count = Grown(a.cache_hit_count, b.cache_hit_count);
  figures.cache_hit_mean = Mean(a.cache_hit_ns, b.cache_hit_ns, figures.cache_hit_count);
  figures.cache_miss_count = Grown(a.cache_miss_count, b.cache_miss_count);
  figures.cache_miss_mean = Mean(a.cache_miss_ns, b.cache_miss_ns, figures.cache_miss_count);
  for (const auto& [size, count] : b.batches) {
    const auto had = a.batches.find(size);
    const std::uint64_t grown = Grown(had == a.batches.end() ? 0 : had->second, count);
    if (grown > 0) {
      figures.batches[size] = grown;
    }
  }
  return figures;
}

}  // namespace

StatisticsReader::StatisticsReader(load::ServerControl* control, const load::Workload& workload,
                                   const std::vector<std::string>& further_models)
    : control_(control) {
  if (control_ == nullptr) {
    return;
  }
  for (const load::Item& item : workload.items) {
    AddModel(item.model, item.version);
  }
  for (const std::string& model : further_models) {
    AddModel(model, "");
  }
}

void StatisticsReader::AddModel(const std::string& model, const std::string& version) {
  std::vector<std::pair<std::string, std::string>> to_add = {{model, version}};
  while (!to_add.empty() && versions_.size() < kModelMax) {
    const auto [name, wanted] = std::move(to_add.back());
    to_add.pop_back();
    const auto [entry, is_new] = versions_.emplace(name, wanted);
    if (!is_new) {
      if (entry->second != wanted) {
        entry->second.clear();  // several versions of it: all of them
      }
      continue;
    }
    const Result<load::ModelFacts> facts = control_->Model(name, wanted);
    if (facts.ok()) {
      for (const std::string& composing : facts->composing_models) {
        to_add.emplace_back(composing, "");
      }
    }
  }
}

StatisticsByModel StatisticsReader::Read() {
  StatisticsByModel all;
  for (const auto& [model, version] : versions_) {
    const auto statistics = control_->Statistics(model);
    if (!statistics.ok()) {
      continue;
    }
    const auto found = statistics->find(model);
    if (found == statistics->end()) {
      continue;
    }
    load::ModelStatistics& sum = all[model];
    for (const load::ModelStatistics& one : found->second) {
      if (version.empty() || one.version == version) {
        Add(one, sum);
      }
    }
  }
  return all;
}

std::map<std::string, ServerFigures> Difference(const StatisticsByModel& before,
                                                const StatisticsByModel& after) {
  std::map<std::string, ServerFigures> figures;
  for (const auto& [model, statistics] : after) {
    const auto had = before.find(model);
    if (had != before.end()) {
      figures[model] = Between(had->second, statistics);
    }
  }
  return figures;
}

}  // namespace headrace::bench
