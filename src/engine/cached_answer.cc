#include "engine/cached_answer.h"

#include <functional>
#include <optional>
#include <utility>

#include "engine/cache_key.h"

namespace headrace::engine {
namespace {

class InsertingSink final : public ResponseSink {
 public:
  struct Miss {
    std::shared_ptr<ResponseCache> cache;
    CacheKey key;
    Nanos lookup_duration;
  };
  // The model outlives its request's sink.
  InsertingSink(Miss miss, Model& model, const Clock& clock, std::shared_ptr<ResponseSink> inner)
      : miss_(std::move(miss)), model_(model), clock_(clock), inner_(std::move(inner)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) override {
    return inner_->AllocateOutput(name, byte_size);
  }
  void Send(InferResponse response) override {
    if (++response_count_ == 1) {
      response_ = response;  // shares the tensors
    }
    inner_->Send(std::move(response));
  }
  void Finish(Status status) override {
    // Before the client hears of the answer: when it asks again, the answer is there.
    if (status.ok() && response_count_ == 1) {
      if (TaskThreads* threads = miss_.cache->threads()) {
        std::unique_ptr<TaskThreads::Task> task = std::make_unique<Insertion>(*this);
        if (!threads->Submit(task)) {
          model_.statistics().RecordCacheMiss(miss_.lookup_duration);
          inner_->Finish(OkStatus());
        }
        return;
      }
      Insert(miss_, model_, clock_, response_);
    }
    response_ = {};
    inner_->Finish(std::move(status));
  }
  bool Cancelled() const override { return inner_->Cancelled(); }

 private:
  // Outlives the request, and ends it.
  class Insertion final : public TaskThreads::Task {
   public:
    explicit Insertion(InsertingSink& sink)
        : miss_(sink.miss_),
          model_(sink.model_.shared_from_this()),
          clock_(sink.clock_),
          inner_(sink.inner_),
          response_(std::move(sink.response_)) {}
    void Run() override {
      Insert(miss_, *model_, clock_, response_);
      inner_->Finish(OkStatus());
    }

   private:
    const Miss miss_;
    const ModelHandle model_;
    const Clock& clock_;
    const std::shared_ptr<ResponseSink> inner_;
    const InferResponse response_;
  };

  static void Insert(const Miss& miss, Model& model, const Clock& clock,
                     const InferResponse& response) {
    const Nanos start = clock.Now();
    miss.cache->Insert(miss.key, response);
    model.statistics().RecordCacheMiss(miss.lookup_duration + clock.Now() - start);
  }

  const Miss miss_;
  Model& model_;
  const Clock& clock_;
  const std::shared_ptr<ResponseSink> inner_;  // shared with an insertion
  InferResponse response_;
  std::size_t response_count_ = 0;
};

class LookUp final : public TaskThreads::Task {
 public:
  using GoOn = std::function<void(std::unique_ptr<InferRequest>)>;
  LookUp(std::shared_ptr<ResponseCache> cache, Model& model, const Clock& clock,
         std::unique_ptr<InferRequest> request, GoOn go_on)
      : cache_(std::move(cache)),
        model_(model.shared_from_this()),
        clock_(clock),
        request_(std::move(request)),
        go_on_(std::move(go_on)) {}
  void Run() override {
    AnswerFromCache(cache_, *model_, clock_, request_);
    End();
  }
  // Without a look-up, if there was none.
  void End() {
    if (request_ != nullptr) {
      go_on_(std::move(request_));
    }
    model_->Unpin();
  }

 private:
  const std::shared_ptr<ResponseCache> cache_;
  const ModelHandle model_;
  const Clock& clock_;
  std::unique_ptr<InferRequest> request_;
  const GoOn go_on_;
};

}  // namespace

void AnswerFromCacheElsewhere(const std::shared_ptr<ResponseCache>& cache, Model& model,
                              const Clock& clock, std::unique_ptr<InferRequest> request,
                              std::function<void(std::unique_ptr<InferRequest>)> go_on) {
  auto look_up =
      std::make_unique<LookUp>(cache, model, clock, std::move(request), std::move(go_on));
  LookUp& made = *look_up;
  std::unique_ptr<TaskThreads::Task> task = std::move(look_up);
  if (!cache->threads()->Submit(task)) {
    made.End();
  }
}

void AnswerFromCache(const std::shared_ptr<ResponseCache>& cache, Model& model, const Clock& clock,
                     std::unique_ptr<InferRequest>& request) {
  const Nanos start = clock.Now();
  const auto key = MakeCacheKey({model.name_space(), model.name(), model.version()},
                                model.signature(), *request, cache->key_seed());
  if (!key) {
    return;
  }
  std::optional<InferResponse> response = cache->Lookup(*key);
  const Nanos duration = clock.Now() - start;
  if (!response) {
    request->WrapSink([&](std::unique_ptr<ResponseSink> sink) {
      return std::make_unique<InsertingSink>(
          InsertingSink::Miss{.cache = cache, .key = *key, .lookup_duration = duration}, model,
          clock, std::move(sink));
    });
    return;
  }
  model.statistics().RecordCacheHit(duration);
  request->Send(*std::move(response));
  request->Finish(OkStatus());
  request.reset();
}

}  // namespace headrace::engine
