#include "bench/suite_session.h"

#include <utility>

namespace headrace::bench {

load::WorkloadSpec WorkloadSpecOf(const SuiteSpec& spec, const SuiteModel& model,
                                  load::Protocol protocol) {
  load::WorkloadSpec workload;
  workload.protocol = protocol;
  workload.seed = spec.seed;
  workload.item.name = model.name;
  workload.item.model = model.model;
  workload.item.version = model.version;
  workload.item.content_type = model.content_type;
  workload.item.sla = model.sla;
  return workload;
}

SessionOptions SessionOptionsOf(const SuiteSpec& spec, const std::atomic<bool>* stop,
                                std::function<void(const Progress&)> progress) {
  SessionOptions options;
  options.sender_count = spec.sender_count;
  options.stop = stop;
  options.progress = std::move(progress);
  return options;
}

}  // namespace headrace::bench
