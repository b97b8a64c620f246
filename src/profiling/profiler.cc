#include "profiling/profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/task_threads.h"
#include "base/topology.h"
#include "engine/model.h"
#include "profiling/cpu_sampler.h"
#include "profiling/symbolizer.h"

namespace headrace::profiling {

class Profiler::Task final : public TaskThreads::Task {
 public:
  Task(Profiler& profiler, engine::ModelHandle model, ProfileOptions options,
       std::shared_ptr<BatchRecorder> recorder, Done done)
      : profiler_(profiler),
        model_(std::move(model)),
        options_(options),
        recorder_(std::move(recorder)),
        done_(std::move(done)) {}

  void Run() override {
    Profile profile = profiler_.Watch(*model_, options_, recorder_);
    {
      const std::lock_guard lock(profiler_.mutex_);
      profiler_.watched_.clear();
      profiler_.recorder_.reset();
    }
    done_(ProfileDocument(profile));
  }

 private:
  Profiler& profiler_;
  const engine::ModelHandle model_;
  const ProfileOptions options_;
  const std::shared_ptr<BatchRecorder> recorder_;
  const Done done_;
};

Profiler::Profiler() = default;

Profiler::~Profiler() { End(); }

void Profiler::End() {
  const std::lock_guard lock(mutex_);
  ends_ = true;
  if (recorder_ != nullptr) {
    recorder_->Stop();
  }
}

void Profiler::Start(engine::ModelHandle model, ProfileOptions options, Done done) {
  if (model->options().ensemble != nullptr) {
    done(FailedPrecondition(
        "model '{}' is an ensemble, which executes nothing itself: profile the models of its steps",
        model->name()));
    return;
  }
  auto recorder = std::make_shared<BatchRecorder>();
  std::string watched;
  {
    const std::lock_guard lock(mutex_);
    watched = ends_ ? "the server is about to end" : watched_;
    if (watched.empty()) {
      if (threads_ == nullptr) {
        threads_ = std::make_unique<TaskThreads>("profile", 1, 1);
      }
      watched_ = model->name();
      recorder_ = recorder;
      std::unique_ptr<TaskThreads::Task> task = std::make_unique<Task>(
          *this, std::move(model), options, std::move(recorder), std::move(done));
      threads_->Submit(task);  // has room: nothing is watched
      return;
    }
  }
  done(Unavailable("model '{}' is being profiled; one profile runs at a time: try again later",
                   watched));
}

Profile Profiler::Watch(engine::Model& model, const ProfileOptions& options,
                        const std::shared_ptr<BatchRecorder>& recorder) {
  const Clock& clock = Clock::Real();
  Profile profile{.model = model.name(), .version = model.version(), .options = options};
  profile.core_count = Topology::Read().core_count();
  profile.instance_count = static_cast<int>(model.ready_instance_count());
  profile.batch_size_max = model.options().batching.batch_size_max;
  Status operators = OkStatus();
  if (options.operators) {
    operators =
        model.StartOperatorProfile(fmt::format(R"({{"shapes":{},"memory":{},"stack":{}}})",
                                               options.shapes, options.memory, options.stack));
  }
  HEADRACE_LOG_INFO("model '{}' is profiled for {:.1f} s at most", model.name(),
                    static_cast<double>(options.duration) / static_cast<double>(kSecond));
  std::optional<CpuSampler> sampler;
  if (options.cpu_samples) {
    sampler.emplace(options.duration, profile.core_count);
    sampler->Look();
  }
  const auto threads_before = ReadThreadTimes();
  profile.began = clock.Now();
  model.SetBatchObserver(recorder);
  const Nanos until = profile.began + options.duration;
  MemorySampler memory(options.duration, devices_);
  Nanos now = profile.began;
  do {
    memory.Sample(now);
    if (sampler) {
      sampler->Look();
    }
    if (recorder->WaitFor(options.request_count, std::min(until, now + memory.interval()))) {
      break;
    }
    now = clock.Now();
  } while (now < until && !recorder->stopped());
  model.SetBatchObserver(nullptr);
  profile.ended = clock.Now();
  std::optional<CpuSamples> samples;
  std::optional<Symbolizer> symbolizer;
  if (sampler) {
    symbolizer.emplace();  // a recording's generated code goes with it
    samples = sampler->Take();
    // Threads are sampled one after the other from a little earlier on.
    std::erase_if(samples->samples, [&](const CpuSample& sample) {
      return sample.at < profile.began || sample.at > profile.ended;
    });
  }
  memory.Sample(profile.ended);
  profile.memory = memory.Take();
  profile.threads = ThreadUseBetween(threads_before, ReadThreadTimes());
  profile.batches = recorder->Take();
  if (!options.operators) {
    profile.operators_missing = "not asked for";
  } else if (!operators.ok()) {
    profile.operators_missing = operators.message();
  } else {
    Result<std::string> text = model.StopOperatorProfile();
    Result<OperatorRecord> record =
        text.ok() ? ReadOperatorRecord(*text) : Result<OperatorRecord>(text.status());
    if (record.ok()) {
      profile.operators = *std::move(record);
      // Behind what is watched, which it would disturb.
      if (profile.operators->HasWork() && !profile.operators->UsesDevice()) {
        const int threads = profile.operators->threads;
        profile.machine = ceilings_.Measure(threads > 0 ? std::min(threads, profile.core_count)
                                                        : profile.core_count);
      }
    } else {
      profile.operators_missing = record.status().message();
    }
  }
  if (samples) {
    profile.cpu = TableOf(*std::move(samples),
                          [&](std::uint64_t address) { return symbolizer->Find(address); });
  }
  return profile;
}

}  // namespace headrace::profiling
