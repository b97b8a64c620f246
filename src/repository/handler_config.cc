#include "repository/handler_config.h"

#include <algorithm>

#include "repository/parallel_settings.h"
#include "repository/protobuf_messages.h"
#include "repository/scheduling_parameters.h"
#include "repository/sequence_settings.h"
#include "repository/validate.h"

namespace headrace::repository {
namespace {

using inference::ModelConfig;
using inference::ModelInstanceGroup;

// As in TorchServe, where neither the model nor its registration says.
constexpr std::int64_t kBatchDelayMsDefault = 100;

void AddTensors(ModelConfig& config) {
  if (config.input().empty()) {
    auto& input = *config.add_input();
    input.set_name("data");
    input.set_data_type(inference::TYPE_UINT8);
    input.add_dims(-1);
    input.set_allow_ragged_batch(true);
  }
  if (config.output().empty()) {
    auto& output = *config.add_output();
    output.set_name("body");
    output.set_data_type(inference::TYPE_UINT8);
    output.add_dims(-1);
  }
}

void AddParameter(std::string_view key, const std::string& value, ModelConfig& config) {
  auto& parameters = *config.mutable_parameters();
  const std::string name(key);
  if (parameters.count(name) == 0) {
    parameters[name].set_string_value(value);
  }
}

// A day at most, as for all times of a configuration.
std::uint64_t Microseconds(std::int64_t milliseconds) {
  return std::min<std::uint64_t>(static_cast<std::uint64_t>(milliseconds) * 1000, kDurationUsMax);
}

// Each request is a sequence that its handler ends: a worker has as many as its batch holds, takes
// a new one when one has ended, and never waits for company.
void BatchContinuously(ModelConfig& config) {
  auto& sequences = *config.mutable_sequence_batching();
  sequences.set_iterative_sequence(true);
  sequences.mutable_oldest()->set_max_candidate_sequences(config.max_batch_size());
}

void BatchSequences(const HandlerSettings& settings, ModelConfig& config) {
  const std::int64_t worker_count =
      std::max<std::int64_t>(1, settings.worker_count_min.value_or(1));
  const std::int64_t sequence_count = std::max(
      {std::int64_t{1}, settings.sequence_count_max.value_or(1),
       config.max_batch_size() * std::max(worker_count, settings.worker_count_max.value_or(1))});
  auto& sequences = *config.mutable_sequence_batching();
  sequences.set_max_sequence_idle_microseconds(Microseconds(*settings.sequence_idle_ms));
  auto& oldest = *sequences.mutable_oldest();
  oldest.set_max_candidate_sequences(static_cast<int>(std::min<std::int64_t>(
      (sequence_count + worker_count - 1) / worker_count, kCandidateSequencesMax)));
  if (config.max_batch_size() > 1) {
    oldest.set_max_queue_delay_microseconds(
        Microseconds(settings.batch_delay_ms.value_or(kBatchDelayMsDefault)));
  }
  AddParameter(kSequenceStartsByItselfParameter, "true", config);
  AddParameter(kSequenceCountParameter, std::to_string(sequence_count), config);
  AddParameter(kSequenceQueueParameter, std::to_string(settings.sequence_queue_size.value_or(1)),
               config);
  if (settings.sequence_timeout_ms) {
    AddParameter(kSequenceAgeParameter, std::to_string(*settings.sequence_timeout_ms), config);
  }
}

void AddBatching(const HandlerSettings& settings, ModelConfig& config) {
  if (config.max_batch_size() <= 0) {
    config.set_max_batch_size(static_cast<int>(settings.batch_size.value_or(1)));
  }
  if (config.scheduling_choice_case() != ModelConfig::SCHEDULING_CHOICE_NOT_SET) {
    return;
  }
  if (settings.continuous_batching) {
    BatchContinuously(config);
    return;
  }
  if (settings.sequence_idle_ms) {
    BatchSequences(settings, config);
    return;
  }
  auto& batching = *config.mutable_dynamic_batching();
  if (config.max_batch_size() > 1) {
    batching.set_max_queue_delay_microseconds(
        Microseconds(settings.batch_delay_ms.value_or(kBatchDelayMsDefault)));
  }
  if (settings.job_queue_size) {
    batching.mutable_default_queue_policy()->set_max_queue_size(
        static_cast<std::uint32_t>(*settings.job_queue_size));
  }
  if (settings.client_timeout_ms) {
    batching.mutable_default_queue_policy()->set_default_timeout_microseconds(
        Microseconds(*settings.client_timeout_ms));
  }
  if (settings.priority_level_count) {
    const auto count = static_cast<std::uint64_t>(*settings.priority_level_count);
    batching.set_priority_levels(count);
    batching.set_default_priority_level(static_cast<std::uint64_t>(
        settings.default_priority.value_or((*settings.priority_level_count + 1) / 2)));
  }
}

// As many workers as wanted, on GPUs in turn where the model goes to GPUs.
void AddInstances(const HandlerSettings& settings, const std::vector<int>& usable,
                  ModelConfig& config) {
  if (!config.instance_group().empty()) {
    return;
  }
  const auto wanted = static_cast<int>(settings.worker_count_min.value_or(1));
  std::vector<int> gpus = settings.device_type == "cpu" ? std::vector<int>() : usable;
  if (!settings.device_ids.empty()) {
    std::erase_if(gpus, [&](int gpu) {
      return std::find(settings.device_ids.begin(), settings.device_ids.end(), gpu) ==
             settings.device_ids.end();
    });
  }
  gpus = FirstOfGroups(gpus, settings.parallel.gpus_per_worker);
  if (gpus.empty()) {
    auto& group = *config.add_instance_group();
    group.set_kind(ModelInstanceGroup::KIND_CPU);
    group.set_count(wanted);
    return;
  }
  const int gpu_count = static_cast<int>(gpus.size());
  for (int i = 0; i < std::min(gpu_count, wanted); ++i) {
    auto& group = *config.add_instance_group();
    group.set_kind(ModelInstanceGroup::KIND_GPU);
    group.add_gpus(gpus[static_cast<std::size_t>(i)]);
    group.set_count((wanted - i + gpu_count - 1) / gpu_count);
  }
}

// By the name that the pytorch backend has for it: workers take it, too. Another one that the
// configuration has must not be contradicted.
void AddThreads(const HandlerSettings& settings, ModelConfig& config) {
  const auto& parameters = config.parameters();
  if (settings.thread_count && parameters.count("intra_op_thread_count") == 0 &&
      parameters.count("NUM_THREADS") == 0) {
    AddParameter("INTRA_OP_THREAD_COUNT", std::to_string(*settings.thread_count), config);
  }
}

// What the model does not say is the backend's.
void AddTimeouts(const HandlerSettings& settings, ModelConfig& config) {
  const std::pair<std::string_view, std::optional<std::int64_t>> limits[] = {
      {"response-timeout-seconds", settings.response_timeout_s},
      {"start-timeout-seconds", settings.startup_timeout_s},
      {"restart-give-up-seconds", settings.retry_timeout_s}};
  for (const auto& [name, seconds] : limits) {
    if (seconds) {
      AddParameter(name, std::to_string(*seconds), config);
    }
  }
}

}  // namespace

std::vector<std::string> CompleteHandlerConfig(const std::vector<HandlerVersion>& versions,
                                               const std::vector<int>& gpus, ModelConfig& config) {
  std::vector<std::string> warnings;
  const HandlerVersion& newest = versions.back();
  for (const HandlerVersion& version : versions) {
    for (const std::string& warning : version.settings.warnings) {
      warnings.push_back(fmt::format("version {}: {}", version.version, warning));
    }
    if (!version.settings.json.empty()) {
      AddParameter(fmt::format("{}{}", kModelConfigParameter, version.version),
                   version.settings.json, config);
    }
    if (version.settings.json != newest.settings.json) {
      warnings.push_back(
          fmt::format("workers, batching and time limits of version {} are those of version {}: a "
                      "model has one "
                      "configuration for all of its versions",
                      version.version, newest.version));
    }
  }
  config.set_backend(kHandlerBackend);
  AddTensors(config);
  AddBatching(newest.settings, config);
  AddInstances(newest.settings, gpus, config);
  AddThreads(newest.settings, config);
  AddTimeouts(newest.settings, config);
  if (!newest.settings.requirements_file.empty()) {
    AddParameter(kRequirementsParameter, newest.settings.requirements_file, config);
  }
  if (newest.settings.own_environment) {
    AddParameter(kOwnEnvironmentParameter, "true", config);
  }
  const ParallelSettings& parallel = newest.settings.parallel;
  if (newest.settings.fork_workers && parallel.rank_count == 1) {
    AddParameter(kForkWorkersParameter, "true", config);
  }
  // For the worker, which starts its other processes by itself.
  if (parallel.rank_count > 1) {
    AddParameter(kRankCountParameter, std::to_string(parallel.rank_count), config);
    AddParameter("rank_thread_count", std::to_string(parallel.rank_thread_count), config);
  }
  if (parallel.gpus_per_worker > 1) {
    AddParameter("gpus_per_worker", std::to_string(parallel.gpus_per_worker), config);
  }
  if (newest.settings.job_ticket) {
    AddParameter(kJobTicketParameter, "true", config);
  }
  if (config.has_sequence_batching() && newest.settings.job_queue_size) {
    AddParameter(kJobQueueParameter, std::to_string(*newest.settings.job_queue_size), config);
  }
  return warnings;
}

}  // namespace headrace::repository
