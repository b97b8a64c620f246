#include "load/torchserve_control.h"

#include <algorithm>
#include <utility>

#include "load/http_client.h"
#include "load/json_document.h"
#include "load/v2_http_control.h"

namespace headrace::load {
namespace {

constexpr int kPageSize = 100;
constexpr int kPageCountMax = 1'000;

TorchServeModel ReadModel(JsonElement entry) {
  TorchServeModel model;
  model.name = StringMember(entry, "modelName");
  model.version = StringMember(entry, "modelVersion");
  model.url = StringMember(entry, "modelUrl");
  model.runtime = StringMember(entry, "runtime");
  model.workers_min = static_cast<int>(IntMember(entry, "minWorkers"));
  model.workers_max = static_cast<int>(IntMember(entry, "maxWorkers"));
  model.batch_size = static_cast<int>(IntMember(entry, "batchSize", 1));
  model.batch_delay_ms = IntMember(entry, "maxBatchDelay");
  model.response_timeout_s = static_cast<int>(IntMember(entry, "responseTimeout"));
  if (const auto workers = ArrayMember(entry, "workers")) {
    for (const JsonElement worker : *workers) {
      model.workers.push_back({std::string(StringMember(worker, "id")),
                               std::string(StringMember(worker, "status")),
                               BoolMember(worker, "gpu"), UintMember(worker, "memoryUsage")});
    }
  }
  if (const auto queue = Member(entry, "jobQueueStatus")) {
    model.queue_capacity_left = IntMember(*queue, "remainingCapacity");
    model.queue_depth = IntMember(*queue, "pendingRequests");
  }
  return model;
}

class HttpTorchServeControl final : public TorchServeControl {
 public:
  HttpTorchServeControl(HttpClientSpec management, HttpClientSpec inference, HttpClientSpec metrics,
                        std::string ping_path, std::string metrics_path, Nanos start_timeout)
      : management_(std::move(management)),
        inference_(std::move(inference)),
        metrics_(std::move(metrics)),
        ping_path_(std::move(ping_path)),
        metrics_path_(std::move(metrics_path)),
        start_timeout_(start_timeout) {}

  Result<std::string> Ping() override {
    HttpCall call;
    call.path = ping_path_;
    HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, inference_.Call(call));
    const std::string url = inference_.Url(call.path);
    if (!reply.ok()) {
      return ReplyError("GET", url, reply);
    }
    HEADRACE_ASSIGN_OR_RETURN(const JsonDocument answer, JsonDocument::Parse(reply.body, url));
    return std::string(StringMember(answer.root(), "status"));
  }

  Result<std::string> Version() override {
    HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, Ask("GET", "/api-description"));
    HEADRACE_ASSIGN_OR_RETURN(const JsonDocument answer,
                              JsonDocument::Parse(reply.body, management_.Url("/api-description")));
    const auto info = Member(answer.root(), "info");
    return std::string(info ? StringMember(*info, "version") : "");
  }

  Result<std::vector<std::string>> ModelNames() override {
    std::vector<std::string> names;
    std::string token = "0";
    for (int page = 0; page < kPageCountMax && !token.empty(); ++page) {
      const std::string path =
          fmt::format("/models?limit={}&next_page_token={}", kPageSize, EscapePath(token));
      HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, Ask("GET", path));
      HEADRACE_ASSIGN_OR_RETURN(const JsonDocument answer,
                                JsonDocument::Parse(reply.body, management_.Url(path)));
      const std::size_t before = names.size();
      if (const auto models = ArrayMember(answer.root(), "models")) {
        for (const JsonElement model : *models) {
          names.emplace_back(StringMember(model, "modelName"));
        }
      }
      token = names.size() == before ? "" : StringMember(answer.root(), "nextPageToken");
    }
    return names;
  }

  Status Register(const TorchServeRegistration& registration) override {
    std::string path = fmt::format(
        "/models?url={}&batch_size={}&max_batch_delay={}&initial_workers={}&synchronous={}",
        EscapePath(registration.url), registration.batch_size, registration.batch_delay_ms,
        registration.workers, registration.synchronous);
    if (!registration.name.empty()) {
      path += "&model_name=" + EscapePath(registration.name);
    }
    if (registration.response_timeout_s > 0) {
      path += fmt::format("&response_timeout={}", registration.response_timeout_s);
    }
    return Change("POST", path, registration.synchronous);
  }

  Status Scale(const std::string& name, const std::string& version, int workers_min,
               int workers_max, bool synchronous) override {
    return Change("PUT",
                  fmt::format("{}?min_worker={}&max_worker={}&synchronous={}",
                              ModelPath(name, version), workers_min, workers_max, synchronous),
                  synchronous);
  }

  Result<std::vector<TorchServeModel>> Describe(const std::string& name,
                                                const std::string& version) override {
    const std::string path = ModelPath(name, version);
    HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, Ask("GET", path));
    HEADRACE_ASSIGN_OR_RETURN(const JsonDocument answer,
                              JsonDocument::Parse(reply.body, management_.Url(path)));
    JsonArray entries;
    if (answer.root().get(entries) != simdjson::SUCCESS) {
      return InvalidArgument("{}: the answer is {}, and an array of models is expected",
                             management_.Url(path), JsonTypeName(answer.root()));
    }
    std::vector<TorchServeModel> models;
    for (const JsonElement entry : entries) {
      models.push_back(ReadModel(entry));
    }
    return models;
  }

  Status Unregister(const std::string& name, const std::string& version) override {
    return Ask("DELETE", ModelPath(name, version)).status();
  }

  Result<std::string> Metrics() override { return GetMetrics(&metrics_, metrics_path_); }

 private:
  static std::string ModelPath(const std::string& name, const std::string& version) {
    std::string path = "/models/" + EscapePath(name);
    if (!version.empty()) {
      path += "/" + EscapePath(version);
    }
    return path;
  }

  Result<HttpReply> Ask(const std::string& method, const std::string& path, Nanos timeout = 0) {
    HttpCall call;
    call.method = method;
    call.path = path;
    call.timeout = timeout;
    HEADRACE_ASSIGN_OR_RETURN(HttpReply reply, management_.Call(call));
    if (!reply.ok()) {
      return ReplyError(method, management_.Url(path), reply);
    }
    return reply;
  }

  // 206 says that the workers are not there, though it was asked to wait for them.
  Status Change(const std::string& method, const std::string& path, bool synchronous) {
    HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply,
                              Ask(method, path, synchronous ? start_timeout_ : 0));
    if (synchronous && reply.status == 206) {
      return ReplyError(method, management_.Url(path), HttpReply{503, {}, reply.body});
    }
    return OkStatus();
  }

  HttpClient management_, inference_, metrics_;
  const std::string ping_path_, metrics_path_;
  const Nanos start_timeout_;
};

// A client of `url`, or of the target's host at `port`.
Result<std::pair<HttpClientSpec, std::string>> Side(const TargetSpec& target,
                                                    const std::string& url, int port,
                                                    std::string_view path) {
  HttpClientSpec spec = ClientOf(target);
  if (url.empty()) {
    spec.origin = HttpOrigin(target, port);
    return std::pair(std::move(spec), std::string(path));
  }
  HEADRACE_ASSIGN_OR_RETURN(SplitUrl split, ParseUrl(url));
  spec.origin = std::move(split.origin);
  spec.unix_socket.clear();
  return std::pair(std::move(spec),
                   split.path.empty() || split.path == "/" ? std::string(path) : split.path);
}

}  // namespace

Result<std::unique_ptr<TorchServeControl>> TorchServeControl::Make(
    const TorchServeControlSpec& spec) {
  HEADRACE_ASSIGN_OR_RETURN(auto inference,
                            Side(spec.management, spec.inference_url, 8080, "/ping"));
  HEADRACE_ASSIGN_OR_RETURN(auto metrics,
                            Side(spec.management, spec.metrics_url, 8082, "/metrics"));
  return std::unique_ptr<TorchServeControl>(std::make_unique<HttpTorchServeControl>(
      ClientOf(spec.management), std::move(inference.first), std::move(metrics.first),
      std::move(inference.second), std::move(metrics.second), spec.start_timeout));
}

}  // namespace headrace::load
