#include "engine/cached_answer.h"

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
  InsertingSink(Miss miss, Model& model, const Clock& clock, std::unique_ptr<ResponseSink> inner)
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
      const Nanos start = clock_.Now();
      miss_.cache->Insert(miss_.key, response_);
      model_.statistics().RecordCacheMiss(miss_.lookup_duration + clock_.Now() - start);
    }
    response_ = {};
    inner_->Finish(std::move(status));
  }
  bool Cancelled() const override { return inner_->Cancelled(); }

 private:
  const Miss miss_;
  Model& model_;
  const Clock& clock_;
  const std::unique_ptr<ResponseSink> inner_;
  InferResponse response_;
  std::size_t response_count_ = 0;
};

}  // namespace

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
