#include "bench/gauge_sampler.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "load/metrics_text.h"

namespace headrace::bench {
namespace {

constexpr std::size_t kGaugeMax = 1000;

bool IsWanted(std::string_view family) {
  return family.starts_with("nv_gpu_") || family.starts_with("nv_cpu_") ||
         family.starts_with("nv_pinned_") || family.starts_with("nv_inference_pending") ||
         family.starts_with("headrace_");
}

// As on the page: name{label="value",...}.
std::string NameOf(const load::MetricSample& sample) {
  std::string name = sample.name;
  for (std::size_t i = 0; i < sample.labels.size(); ++i) {
    const auto& [label, value] = sample.labels[i];
    name += i == 0 ? '{' : ',';
    name += label + "=\"" + value + "\"";
  }
  if (!sample.labels.empty()) {
    name += '}';
  }
  return name;
}

}  // namespace

void AddPage(std::string_view page, Gauges& gauges) {
  const Result<load::MetricFamilies> families = load::ReadMetrics(page);
  if (!families.ok()) {
    return;
  }
  for (const auto& [name, family] : *families) {
    if (family.type != "gauge" || !IsWanted(name)) {
      continue;
    }
    for (const load::MetricSample& sample : family.samples) {
      const std::string key = NameOf(sample);
      if (gauges.size() >= kGaugeMax && !gauges.contains(key)) {
        continue;
      }
      GaugeFigures& gauge = gauges[key];
      gauge.max = gauge.sample_count == 0 ? sample.value : std::max(gauge.max, sample.value);
      gauge.last = sample.value;
      ++gauge.sample_count;
      gauge.mean += (sample.value - gauge.mean) / static_cast<double>(gauge.sample_count);
    }
  }
}

GaugeSampler::GaugeSampler(load::ServerControl& control, Nanos interval)
    : control_(control), thread_([this, interval] { Run(interval); }) {}

GaugeSampler::~GaugeSampler() {
  if (thread_.joinable()) {
    Stop();
  }
}

void GaugeSampler::Run(Nanos interval) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Result<std::string> page = control_.Metrics();
    if (page.ok()) {
      AddPage(*page, gauges_);
    }
    lock.lock();
    wake_.wait_for(lock, std::chrono::nanoseconds(interval), [this] { return stopping_; });
  }
}

Gauges GaugeSampler::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  return std::move(gauges_);
}

}  // namespace headrace::bench
