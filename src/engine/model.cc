#include "engine/model.h"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "engine/cached_answer.h"
#include "engine/ensemble.h"
#include "engine/health_board.h"
#include "engine/instance_thread.h"
#include "engine/rate_limiter.h"
#include "engine/request_queue.h"
#include "engine/request_stages.h"
#include "engine/runner.h"
#include "engine/sequence_scheduler.h"
#include "engine/validate.h"
#include "engine/warmup.h"

namespace headrace::engine {
namespace {

using Created = Result<std::unique_ptr<Instance>>;
using Leases = std::vector<InstancePlacer::Lease>;

// On the cores that it has, so that threads which the backend starts for it are there too.
Created CreateInstance(LoadedModel& loaded, const InstancePlacement& placement,
                       const HostBinding& binding) {
  const ScopedBinding bound(binding);
  InstancePlacement placed = placement;
  placed.host_policy_json = binding.settings_json;
  return loaded.CreateInstance(placed);
}

std::vector<Created> CreateInstances(LoadedModel& loaded,
                                     const std::vector<InstancePlacement>& placements,
                                     const Leases& leases) {
  std::vector<Created> created;
  created.reserve(placements.size());
  if (!loaded.ParallelInstanceLoading() || placements.size() < 2) {
    for (std::size_t i = 0; i < placements.size(); ++i) {
      created.push_back(CreateInstance(loaded, placements[i], leases[i].binding()));
      if (!created.back().ok()) {
        break;
      }
    }
    return created;
  }
  std::vector<std::future<Created>> loading;
  for (std::size_t i = 0; i < placements.size(); ++i) {
    loading.push_back(std::async(std::launch::async, [&loaded, &placements, &leases, i] {
      return CreateInstance(loaded, placements[i], leases[i].binding());
    }));
  }
  for (auto& instance : loading) {
    created.push_back(instance.get());
  }
  return created;
}

Status CheckActive(const std::vector<InstancePlacement>& placements, const ModelOptions& options) {
  if (std::any_of(placements.begin(), placements.end(),
                  [](const InstancePlacement& placement) { return !placement.passive; }) ||
      (placements.empty() && options.may_have_no_instances)) {
    return OkStatus();
  }
  return InvalidArgument(
      "model '{}' version {} has no active instance: its instance groups are empty or passive",
      options.name, options.version);
}

// One for each placement; null where there is nothing to wait for.
Result<std::vector<std::unique_ptr<RateLimiter::Seat>>> TakeSeats(
    const ModelOptions& options, const std::vector<InstancePlacement>& placements) {
  std::vector<std::unique_ptr<RateLimiter::Seat>> seats(placements.size());
  for (std::size_t i = 0; options.limiter != nullptr && i < placements.size(); ++i) {
    if (!placements[i].passive) {
      HEADRACE_ASSIGN_OR_RETURN(seats[i], options.limiter->Join(placements[i]));
    }
  }
  return seats;
}

// Where requests depend on each other, or have answers already when one fails, nothing is tried
// again.
std::uint32_t BatchRetryCredit(const ModelOptions& options) {
  return options.decoupled || options.sequences ? 0 : options.batch_retry_credit;
}

// From where an instance may take a second batch while it executes one; null: it may not. A step of
// a sequence may depend on the one before, a decoupled model's execution ends before its answers
// do, and what waits for the dynamic batcher grows meanwhile.
RequestQueue* QueueAhead(const ModelOptions& options, Scheduler& queue) {
  const bool may_grow = options.batching.dynamic && options.batching.batch_size_max > 1;
  return options.sequences || options.decoupled || may_grow ? nullptr
                                                            : static_cast<RequestQueue*>(&queue);
}

std::unique_ptr<Scheduler> MakeScheduler(const ModelOptions& options, const Clock& clock) {
  if (options.sequences) {
    return std::make_unique<SequenceScheduler>(*options.sequences, options.queue_limits,
                                               options.name, clock);
  }
  return std::make_unique<RequestQueue>(options.batching, options.queue_limits, clock,
                                        options.queue_policies);
}

}  // namespace

Result<std::shared_ptr<Model>> Model::Start(ModelOptions options,
                                            std::unique_ptr<LoadedModel> loaded,
                                            const Clock& clock) {
  std::shared_ptr<Model> model(new Model(Private(), std::move(options), std::move(loaded), clock),
                               &Model::Destroy);
  if (model->options_.ensemble != nullptr) {
    return model;
  }
  HEADRACE_RETURN_IF_ERROR(CheckActive(model->options_.placements, model->options_));
  HEADRACE_RETURN_IF_ERROR(model->AddRunners(model->options_.placements));
  if (model->options_.may_have_no_instances) {
    model->health_->RefuseWhenEmpty();
  }
  return model;
}

Model::Model(Private, ModelOptions options, std::unique_ptr<LoadedModel> loaded, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      queue_(MakeScheduler(options_, clock)),
      queue_delay_(options_.batching.queue_delay_max),
      health_(std::make_shared<HealthBoard>(
          fmt::format("model '{}' version {}", options_.name, options_.version), *queue_,
          !options_.sequences)),
      loaded_(std::move(loaded)),
      config_json_(options_.config_json) {
  // A decoupled model answers any number of times: there is no order of answers to keep.
  if (options_.preserve_ordering && !options_.decoupled) {
    order_ = std::make_shared<ResponseOrder>();
  }
}

Model::~Model() { Stop(); }

void Model::Destroy(Model* model) {
  bool on_instance_thread = ScopedInstanceThread::IsActive();
  {
    std::lock_guard lock(model->stop_mutex_);
    for (const auto* runners : {&model->runners_, &model->retired_}) {
      for (const auto& runner : *runners) {
        on_instance_thread = on_instance_thread || runner->IsCurrentThread();
      }
    }
  }
  if (!on_instance_thread) {
    delete model;
    return;
  }
  // A thread cannot wait for its own end.
  std::thread([model] {
    SetThreadName("model_teardown");
    delete model;
  }).detach();
}

Status Model::AddRunners(const std::vector<InstancePlacement>& placements) {
  Leases leases = options_.placer != nullptr
                      ? options_.placer->Place(placements, options_.thread_count)
                      : Leases(placements.size());
  std::vector<Created> created = CreateInstances(*loaded_, placements, leases);
  for (Created& instance : created) {
    if (!instance.ok()) {
      return instance.status();
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<RateLimiter::Seat>> seats,
                            TakeSeats(options_, placements));
  for (std::size_t i = 0; options_.warmup != nullptr && i < created.size(); ++i) {
    if (!placements[i].passive) {
      HEADRACE_RETURN_IF_ERROR(options_.warmup->Run(**created[i], shared_from_this(), clock_));
    }
  }
  std::lock_guard lock(runners_mutex_);
  for (std::size_t i = 0; i < created.size(); ++i) {
    if (options_.placer != nullptr) {
      HEADRACE_LOG_INFO("instance '{}' of model '{}' version {} has {}", placements[i].name,
                        options_.name, options_.version,
                        DescribeBinding(leases[i].binding(), options_.placer->topology()));
    }
    runners_.push_back(std::make_unique<Runner>(
        Runner::Placed{*std::move(created[i]), placements[i], std::move(leases[i])},
        Runner::Target{.queue = queue_.get(),
                       .statistics = &statistics_,
                       .observer = &observer_,
                       .health = health_.get(),
                       .model_name = options_.name,
                       .batch_retry_credit = BatchRetryCredit(options_),
                       .ahead = QueueAhead(options_, *queue_)},
        std::move(seats[i])));
    if (!placements[i].passive) {
      runners_.back()->Start(fmt::format("{}_{}", options_.name.substr(0, 12), runner_number_));
    }
    ++runner_number_;
  }
  return OkStatus();
}

Status Model::SetPlacements(const std::vector<InstancePlacement>& wanted) {
  HEADRACE_RETURN_IF_ERROR(CheckActive(wanted, options_));
  std::lock_guard lock(stop_mutex_);
  if (loaded_ == nullptr) {
    return Unavailable("model '{}' version {} has ended", options_.name, options_.version);
  }
  std::vector<InstancePlacement> missing = wanted;
  std::vector<bool> stays(runners_.size());
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    const auto found = std::find(missing.begin(), missing.end(), runners_[i]->placement());
    if (found != missing.end()) {
      missing.erase(found);
      stays[i] = true;
    }
  }
  // What comes meanwhile waits for them, as it would for instances that restart.
  const auto starting = static_cast<std::ptrdiff_t>(missing.size());
  health_->Expect(starting);
  const Status added = AddRunners(missing);
  health_->Expect(-starting);
  HEADRACE_RETURN_IF_ERROR(added);
  stays.resize(runners_.size(), true);
  {
    std::vector<std::unique_ptr<Runner>> staying;
    std::lock_guard runners_lock(runners_mutex_);
    for (std::size_t i = 0; i < runners_.size(); ++i) {
      (stays[i] ? staying : retired_).push_back(std::move(runners_[i]));
    }
    runners_ = std::move(staying);
  }
  for (const auto& runner : retired_) {
    runner->Retire();
  }
  queue_->RouseAll();
  std::erase_if(retired_, [](const auto& runner) { return runner->ended(); });
  return OkStatus();
}

void Model::SetWaitsForInstances(bool waits) {
  if (waits_for_instances_.exchange(waits) != waits) {
    health_->Expect(waits ? 1 : -1);
  }
}

void Model::SetQueueDelay(Nanos delay) {
  if (queue_delay_.exchange(delay) != delay) {
    queue_->SetQueueDelay(delay);
  }
}

std::size_t Model::instance_count() const {
  std::lock_guard lock(runners_mutex_);
  return runners_.size();
}

std::vector<InstanceFacts> Model::Instances() const {
  std::vector<InstanceFacts> facts;
  std::lock_guard lock(runners_mutex_);
  for (const auto& runner : runners_) {
    facts.push_back(runner->Facts());
  }
  return facts;
}

void Model::SetBatchObserver(std::shared_ptr<BatchObserver> observer) {
  observer_.Set(std::move(observer));
}

Status Model::StartOperatorProfile(const std::string& options_json) {
  const std::lock_guard lock(stop_mutex_);
  if (loaded_ == nullptr) {
    return FailedPrecondition("model '{}' has no backend of its own", name());
  }
  return loaded_->StartProfile(options_json);
}

Result<std::string> Model::StopOperatorProfile() {
  const std::lock_guard lock(stop_mutex_);
  if (loaded_ == nullptr) {
    return FailedPrecondition("model '{}' has ended", name());
  }
  return loaded_->StopProfile();
}

std::string Model::config_json() const {
  std::lock_guard lock(config_mutex_);
  return config_json_;
}

void Model::SetConfigJson(std::string config_json) {
  std::lock_guard lock(config_mutex_);
  config_json_ = std::move(config_json);
}

void Model::TraceStart(InferRequest& request) const {
  RequestTrace& trace = *request.trace;
  trace.SetModel(options_.name, options_.version, request.id);
  trace.Report(TraceActivity::kRequestStart, clock_.Now());
  if (trace.WantsTensors()) {
    for (const NamedTensor& input : request.inputs) {
      trace.ReportTensor(TraceActivity::kTensorQueueInput, input.name, input.tensor);
    }
  }
}

void Model::Receive(InferRequest& request) {
  request.submitted = true;
  if (request.times.received == 0) {
    request.times.received = clock_.Now();
  }
  statistics_.RecordReceived();
  if (request.trace != nullptr) {
    TraceStart(request);
  }
}

void Model::Submit(std::unique_ptr<InferRequest> request) {
  Receive(*request);
  if (!gate_.TryEnter()) {
    request->Finish(Unavailable("Request for unknown model: '{}' version {} is not at ready state",
                                options_.name, options_.version));
    return;
  }
  Accept(std::move(request), nullptr);
}

void Model::SubmitPinned(std::unique_ptr<InferRequest> request,
                         std::shared_ptr<const EnsemblePins> parts) {
  Receive(*request);
  gate_.EnterBeside();
  Accept(std::move(request), std::move(parts));
}

void Model::Accept(std::unique_ptr<InferRequest> request,
                   std::shared_ptr<const EnsemblePins> parts) {
  request->inside_gate = true;
  if (Status status = ValidateRequest(options_.signature, options_.name, *request); !status.ok()) {
    request->Finish(std::move(status));
    return;
  }
  if (options_.job_tickets && !TakeTicket(*request)) {
    request->Finish(Unavailable("[request id: {}] {}", request->id, kNoTicketText),
                    FailureReason::kRejected);
    return;
  }
  if (order_ != nullptr) {
    request->WrapSink(
        [this](std::unique_ptr<ResponseSink> sink) { return order_->Join(std::move(sink)); });
  }
  if (options_.cache == nullptr) {
    Dispatch(std::move(request), std::move(parts));
    return;
  }
  if (options_.cache->threads() == nullptr) {
    AnswerFromCache(options_.cache, *this, clock_, request);
    if (request != nullptr) {
      Dispatch(std::move(request), std::move(parts));
    }
    return;
  }
  // A drain waits with the end of the queue for those that may still come to it.
  gate_.EnterBeside();
  pins_.EnterBeside();
  AnswerFromCacheElsewhere(
      options_.cache, *this, clock_, std::move(request),
      [this, parts](std::unique_ptr<InferRequest> missed) { Dispatch(std::move(missed), parts); });
}

bool Model::TakeTicket(InferRequest& request) {
  const std::size_t ticket_count = ready_instance_count();
  std::size_t taken = tickets_taken_.load(std::memory_order_relaxed);
  while (taken < ticket_count) {
    if (tickets_taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) {
      request.has_ticket = true;
      return true;
    }
  }
  return false;
}

void Model::Dispatch(std::unique_ptr<InferRequest> request,
                     std::shared_ptr<const EnsemblePins> parts) {
  if (options_.ensemble != nullptr) {
    options_.ensemble->Start(std::move(request), std::move(parts));
  } else if (options_.stages != nullptr) {
    // A drain waits with the end of the queue for those that may still come to it.
    gate_.EnterBeside();
    pins_.EnterBeside();
    options_.stages->Prepare(std::move(request), QueuePassage(shared_from_this()));
  } else {
    queue_->Push(std::move(request));
  }
}

void Model::QueuePrepared(std::unique_ptr<InferRequest> request) {
  if (Status status = ValidateRequest(execution_signature(), options_.name, *request);
      !status.ok()) {
    request->Finish(std::move(status));
    return;
  }
  queue_->Push(std::move(request));
}

const ModelSignature& Model::execution_signature() const {
  return options_.stages != nullptr ? options_.stages->execution_signature() : options_.signature;
}

Status Model::Health() const {
  return options_.ensemble != nullptr ? options_.ensemble->Health() : health_->Health();
}
bool Model::CanServe() const { return !health_->refuses(); }
std::size_t Model::ready_instance_count() const { return health_->ready_count(); }

bool Model::Pin() {
  if (!gate_.TryEnter()) {
    return false;
  }
  if (!pins_.TryEnter()) {
    gate_.Leave();
    return false;
  }
  return true;
}

void Model::Unpin() {
  pins_.Leave();
  gate_.Leave();
}

std::size_t Model::pending_count() const {
  return options_.ensemble != nullptr
             ? static_cast<std::size_t>(std::max<std::int64_t>(0, in_flight()))
             : queue_->depth();
}

std::size_t Model::queue_depth() const { return queue_->depth(); }

bool Model::Drain(Nanos timeout) {
  gate_.Close();
  pins_.Close();
  // Ensembles that hold the version still queue requests.
  const Nanos start = Clock::Real().Now();
  (void)pins_.WaitUntilEmpty(timeout);
  queue_->Close();
  if (!gate_.WaitUntilEmpty(std::max<Nanos>(0, timeout - (Clock::Real().Now() - start)))) {
    queue_->Abandon(fmt::format("model '{}' version {} was unloaded before the request's turn came",
                                options_.name, options_.version));
    return false;
  }
  Stop();
  return true;
}

void Model::Stop() {
  queue_->Stop();
  health_->StopPausing();
  std::lock_guard lock(stop_mutex_);
  std::vector<std::unique_ptr<Runner>> ending;
  {
    std::lock_guard runners_lock(runners_mutex_);
    ending.swap(runners_);
  }
  ending.clear();
  retired_.clear();
  loaded_.reset();
}

}  // namespace headrace::engine
