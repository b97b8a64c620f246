#include "worker/python_model.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "base/log.h"
#include "base/thread.h"
#include "worker/environment.h"
#include "worker/json_messages.h"
#include "worker/placement.h"
#include "worker/python_instance.h"

namespace headrace::worker {

namespace {

constexpr char kForkWorkersParameter[] = "fork_workers";
constexpr Nanos kDebuggerTime = 1'000'000 * kSecond;
constexpr Nanos kHandlerResponseTimeout = 120 * kSecond;  // TorchServe's default

std::string Named(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? std::string() : found->second;
}

// A time limit that the model's configuration sets for itself, in whole seconds.
std::optional<Nanos> OwnLimit(const ModelFacts& facts, const std::string& name) {
  constexpr std::uint32_t kSecondsMax = 1'000'000;
  const auto seconds = ParseDecimal<std::uint32_t>(Named(facts.parameters, name));
  return seconds && *seconds <= kSecondsMax ? std::optional(Nanos{*seconds} * kSecond)
                                            : std::nullopt;
}

// What the model wants beside the packages of its interpreter; null: nothing, or nothing is
// installed, which is said.
std::unique_ptr<OwnEnvironment> OwnEnvironmentOf(const WorkerCommon& common,
                                                 const engine::LoadSpec& spec,
                                                 const ModelFacts& facts, const Interpreter& base) {
  const std::string requirements = Named(facts.parameters, "requirements_file");
  const bool own = Named(facts.parameters, "own_environment") == "true";
  if (common.contract != "handler" || (requirements.empty() && !own)) {
    return nullptr;
  }
  OwnEnvironmentOptions options;
  options.label = fmt::format("model '{}' version {}", spec.model_name, spec.version);
  if (!common.options.install_requirements) {
    const std::string what = requirements.empty() ? "useVenv" : EscapeForLog(requirements, 128);
    HEADRACE_LOG_WARNING(
        "{}: '{}' is not installed: install what the handler needs into the environment that its "
        "workers run in, or allow it with install_py_dep_per_model=true "
        "(--backend-config=handler,install-requirements=on)",
        options.label, what);
    return nullptr;
  }
  options.base = base;
  if (!requirements.empty()) {
    options.requirements_file =
        fmt::format("{}/{}/{}", spec.model_directory, spec.version, requirements);
  }
  std::vector<std::string> also = InstallerVariables(environ);
  also.insert(also.end(), common.options.environment.begin(), common.options.environment.end());
  options.environment = ChosenEnvironment(environ, also);
  for (const auto& [name, value] : base.environment) {
    options.environment[name] = value;
  }
  options.confinement = common.options.confinement;
  options.confinement.no_network = false;
  options.timeout = common.options.install_timeout;
  return std::make_unique<OwnEnvironment>(std::move(options));
}

}  // namespace

Result<std::unique_ptr<PythonModel>> PythonModel::Create(std::shared_ptr<const WorkerCommon> common,
                                                         engine::LoadSpec spec) {
  HEADRACE_ASSIGN_OR_RETURN(const ModelFacts facts, ReadModelFacts(spec.config_json));
  const auto environment = ChosenEnvironment(environ, common->options.environment);
  HEADRACE_ASSIGN_OR_RETURN(
      Interpreter interpreter,
      common->interpreters->Find(
          {.execution_environment = Named(facts.parameters, "EXECUTION_ENV_PATH"),
           .model_interpreter = Named(facts.parameters, "python_interpreter"),
           .default_interpreter = common->options.interpreter,
           .model_directory = spec.model_directory,
           .path = Named(environment, "PATH")}));
  const std::string forks = Named(facts.parameters, kForkWorkersParameter);
  if (forks != "" && forks != "true" && forks != "false") {
    return InvalidArgument("the parameter '{}' is '{}'; it must be true or false",
                           kForkWorkersParameter, EscapeForLog(forks, 64));
  }
  auto own = OwnEnvironmentOf(*common, spec, facts, interpreter);
  std::unique_ptr<PythonModel> model(
      new PythonModel(std::move(common), std::move(spec), std::move(interpreter), std::move(own)));
  model->forks_workers_ = forks == "true";
  return model;
}

PythonModel::PythonModel(std::shared_ptr<const WorkerCommon> common, engine::LoadSpec spec,
                         Interpreter interpreter, std::unique_ptr<OwnEnvironment> own)
    : common_(std::move(common)),
      interpreter_(std::move(interpreter)),
      own_(std::move(own)),
      spec_(std::move(spec)) {}

void PythonModel::SetFinalConfig(std::string config_json) {
  spec_.config_json = std::move(config_json);
}

bool PythonModel::IsDebugged(const engine::InstancePlacement& placement) const {
  return spec_.model_name == common_->debug_model && placement.name.ends_with("_0");
}

Result<KeeperOptions> PythonModel::Worker(const engine::InstancePlacement& placement,
                                          const ModelFacts& facts, MessageType question) const {
  Interpreter interpreter = interpreter_;
  if (own_ != nullptr) {
    HEADRACE_ASSIGN_OR_RETURN(interpreter, own_->Get());
  }
  KeeperOptions options;
  options.label = fmt::format("model '{}' version {}, instance '{}'", spec_.model_name,
                              spec_.version, placement.name);
  const WorkerOptions& common = common_->options;
  options.process.arguments = {interpreter.program, common_->main_file};
  options.process.environment = ChosenEnvironment(environ, common.environment);
  for (const auto& [name, value] : interpreter.environment) {
    options.process.environment[name] = value;
  }
  // A template runs anywhere, with one thread: its copies have more.
  const bool is_template = question == MessageType::kPrepare;
  // The engine has bound the thread that creates an instance to the instance's cores.
  CpuList cpus = is_template ? common_->topology.cpus() : AvailableCpus();
  std::string threads = Named(facts.parameters, "intra_op_thread_count");
  if (threads.empty()) {  // a handler that may be the pytorch backend's is told by that one's name
    threads = Named(facts.parameters, "INTRA_OP_THREAD_COUNT");
  }
  const int thread_count = ParseDecimal<std::uint16_t>(threads).value_or(0);
  const Placement placed =
      PlaceWorker({.cpus = cpus == common_->topology.cpus() ? CpuList() : std::move(cpus),
                   .worker_count = facts.instance_count,
                   .thread_count = is_template ? 1 : thread_count},
                  common_->topology, options.process.environment);
  options.process.cpus = is_template ? common_->topology.cpus() : placed.cpus;
  for (const auto& [name, value] : placed.environment) {
    options.process.environment[name] = value;
  }
  options.process.limits = common.limits;
  options.process.confinement = common.confinement;
  options.data_byte_size = common.data_byte_size;
  options.question = question;
  std::string handler_json;
  if (const MetricLineSink* const lines =
          common_->services == nullptr ? nullptr : common_->services->metric_lines()) {
    handler_json = fmt::format(R"({{"metric_lines":true,"metrics":{}}})", lines->DeclaredMetrics());
  }
  options.make_question = [contract = common_->contract, spec = spec_, facts, placement,
                           handler_json](const DataRegion& region) {
    return EncodeLoad({.contract = contract,
                       .model_name = spec.model_name,
                       .model_directory = spec.model_directory,
                       .model_file = facts.model_file,
                       .config_json = spec.config_json,
                       .instance_name = placement.name,
                       .version = spec.version,
                       .kind = placement.kind,
                       .device_id = placement.device_id,
                       .input_names = &facts.input_names,
                       .output_names = &facts.output_names,
                       .decoupled = facts.decoupled,
                       .data_byte_size = region.byte_size(),
                       .data_middle = region.middle(),
                       .handler_json = handler_json});
  };
  options.life = common.life;
  options.life.start_timeout =
      OwnLimit(facts, "start-timeout-seconds").value_or(options.life.start_timeout);
  options.life.give_up = OwnLimit(facts, "restart-give-up-seconds").value_or(options.life.give_up);
  if (IsDebugged(placement)) {
    options.process.keeps_terminal = true;
    options.life.start_timeout = kDebuggerTime;
  }
  options.side = {.label = options.label,
                  .output_names = facts.output_names,
                  .services = common_->services,
                  .controls = common_->controls,
                  .streams = common_->contract == "handler"};
  return options;
}

Status PythonModel::CompleteConfig() {
  if (!spec_.auto_complete || !spec_.complete_config) {
    return OkStatus();
  }
  HEADRACE_ASSIGN_OR_RETURN(const ModelFacts facts, ReadModelFacts(spec_.config_json));
  engine::InstancePlacement placement;
  placement.name = spec_.model_name + "_auto_complete";
  HEADRACE_ASSIGN_OR_RETURN(KeeperOptions options,
                            Worker(placement, facts, MessageType::kCompleteConfig));
  HEADRACE_ASSIGN_OR_RETURN(const std::unique_ptr<Keeper> keeper,
                            Keeper::Start(std::move(options)));
  std::string answer = keeper->answer();
  const std::size_t size = answer.size();
  answer.resize(size + protocol::JsonCursor::kPadding);
  HEADRACE_ASSIGN_OR_RETURN(const std::optional<std::string> proposed,
                            JsonDecoder().Config(std::string_view(answer).substr(0, size)));
  if (proposed) {
    HEADRACE_ASSIGN_OR_RETURN(spec_.config_json, spec_.complete_config(*proposed));
  }
  return OkStatus();
}

std::shared_ptr<WorkerTemplate> PythonModel::Template(const engine::InstancePlacement& placement,
                                                      const ModelFacts& facts) {
  if (!forks_workers_ || placement.kind == engine::InstanceKind::kGpu || IsDebugged(placement)) {
    return nullptr;
  }
  std::lock_guard lock(template_mutex_);
  if (std::exchange(template_tried_, true)) {
    return template_;
  }
  engine::InstancePlacement nowhere;
  nowhere.name = spec_.model_name + "_template";
  nowhere.kind = engine::InstanceKind::kCpu;
  auto options = Worker(nowhere, facts, MessageType::kPrepare);
  auto made = options.ok() ? WorkerTemplate::Start(*std::move(options))
                           : Result<std::unique_ptr<WorkerTemplate>>(options.status());
  if (made.ok()) {
    template_ = *std::move(made);
    HEADRACE_LOG_INFO("model '{}' version {}: its workers are copies of process {}",
                      spec_.model_name, spec_.version, template_->process().id);
  } else {
    HEADRACE_LOG_WARNING(
        "model '{}' version {}: its workers are not forked but started one by one: {}",
        spec_.model_name, spec_.version, made.status().message());
  }
  return template_;
}

Result<std::unique_ptr<engine::Instance>> PythonModel::CreateInstance(
    const engine::InstancePlacement& placement) {
  HEADRACE_ASSIGN_OR_RETURN(ModelFacts facts, ReadModelFacts(spec_.config_json));
  HEADRACE_ASSIGN_OR_RETURN(KeeperOptions options, Worker(placement, facts, MessageType::kLoad));
  std::string label = options.label;
  const Nanos response_timeout =
      IsDebugged(placement)
          ? 0
          : OwnLimit(facts, "response-timeout-seconds")
                .value_or(common_->options.response_timeout.value_or(
                    common_->contract == "handler" ? kHandlerResponseTimeout : 0));
  if (const auto parent = Template(placement, facts)) {
    options.fork = [parent, name = placement.name](const ProcessOptions& worker,
                                                   const std::function<bool()>& given_up) {
      return parent->Fork(worker, name, given_up);
    };
  }
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<Keeper> keeper, Keeper::Start(std::move(options)));
  return std::unique_ptr<engine::Instance>(std::make_unique<PythonInstance>(
      std::move(keeper), std::move(label), std::move(facts.input_names),
      std::move(facts.output_names),
      ExecutionOptions{.response_timeout = response_timeout,
                       .second_batch = common_->options.second_batch}));
}

}  // namespace headrace::worker
