// The key, the local cache, and a model's way past it.
#include "engine/response_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "engine/cache_key.h"
#include "engine/local_response_cache.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::Fp32Input;
using testing::SmallModel;
using testing::SmallRequest;

class CacheKeyTest : public ::testing::Test {
 protected:
  CacheKey Key(const std::function<void(InferRequest&)>& change = nullptr,
               const std::string& name = "m", std::int64_t version = 1, std::uint64_t seed = 1) {
    const auto request = SmallRequest(nullptr, std::make_shared<Answer>());
    if (change) {
      change(*request);
    }
    const CacheKey key = *MakeCacheKey({"", name, version}, signature_, *request, seed);
    request->Finish(OkStatus());
    return key;
  }

  ModelSignature signature_ = SmallModel().signature;
};

TEST_F(CacheKeyTest, CoversEverythingThatAnAnswerDependsOn) {
  const std::vector<CacheKey> keys = {
      Key(),
      Key(nullptr, "other"),
      Key(nullptr, "m", 2),
      Key(nullptr, "m", 1, 2),
      Key([](InferRequest& r) { r.inputs[0].name = "Y"; }),
      Key([](InferRequest& r) { r.inputs[0].tensor.dtype = DataType::kInt32; }),
      Key([](InferRequest& r) {
        r.inputs[0].tensor.shape = Shape{1, 1, 1};
      }),
      Key([](InferRequest& r) { r.inputs[0].tensor.data = Buffer::FromString("abcd"); }),
      Key([](InferRequest& r) {
        r.inputs.push_back(Fp32Input("Z", {1, 1}));
      }),
      Key([](InferRequest& r) {
        r.parameters.push_back({"a", std::int64_t{1}});
      }),
      Key([](InferRequest& r) {
        r.parameters.push_back({"a", true});
      }),
      Key([](InferRequest& r) {
        r.parameters.push_back({"a", std::string("1")});
      }),
      Key([](InferRequest& r) {
        r.parameters.push_back({"b", std::int64_t{1}});
      }),
  };
  std::set<std::pair<std::uint64_t, std::uint64_t>> distinct;
  for (const CacheKey& key : keys) {
    distinct.emplace(key.high, key.low);
  }
  EXPECT_EQ(distinct.size(), keys.size());
}

TEST_F(CacheKeyTest, DoesNotDependOnOrder_NorOnWhoAsks) {
  const auto both = [](bool swapped) {
    return [swapped](InferRequest& r) {
      r.id = swapped ? "a" : "b";
      r.inputs.push_back(Fp32Input("Z", {1, 2}));
      r.parameters = {{"a", true}, {"b", false}};
      if (swapped) {
        std::swap(r.inputs[0], r.inputs[1]);
        std::swap(r.parameters[0], r.parameters[1]);
      }
    };
  };
  EXPECT_EQ(Key(both(false)), Key(both(true)));
}

TEST_F(CacheKeyTest, FragmentsDoNotMatter) {
  EXPECT_EQ(Key([](InferRequest& r) { r.inputs[0].tensor.data = Buffer::FromString("abcd"); }),
            Key([](InferRequest& r) {
              r.inputs[0].tensor.data = Buffer::FromString("ab");
              r.inputs[0].tensor.more_fragments.push_back(Buffer::FromString("cd"));
            }));
}

TEST_F(CacheKeyTest, WantedOutputsMatter_UnlessTheyAreAll) {
  signature_.outputs.push_back({.name = "Z", .dtype = DataType::kFp32, .dims = Shape{1}});
  const auto wants = [](std::vector<std::string> names) {
    return [names](InferRequest& r) { r.wanted_outputs = names; };
  };
  EXPECT_EQ(Key(), Key(wants({"Z", "Y"})));
  EXPECT_NE(Key(), Key(wants({"Y"})));
  EXPECT_NE(Key(wants({"Z"})), Key(wants({"Y"})));
}

TEST_F(CacheKeyTest, InputsInGpuMemory_HaveNone) {
  const auto request = SmallRequest(nullptr, std::make_shared<Answer>());
  request->inputs[0].tensor.memory_kind = MemoryKind::kGpu;
  EXPECT_FALSE(MakeCacheKey({"", "m", 1}, signature_, *request, 1).has_value());
  request->Finish(OkStatus());
}

InferResponse Response(const std::string& bytes) {
  InferResponse response;
  response.outputs.push_back(Fp32Input("Y", {1}));
  response.outputs[0].tensor.data = Buffer::FromString(bytes);
  response.parameters.push_back({"p", std::string("v")});
  return response;
}

CacheKey Numbered(std::uint64_t number) { return {.high = 7, .low = number}; }

TEST(LocalResponseCacheTest, GivesBackACopy) {
  LocalResponseCache cache(10'000);
  EXPECT_FALSE(cache.Lookup(Numbered(1)).has_value());
  {
    InferResponse original = Response("abc");
    original.outputs[0].tensor.more_fragments.push_back(Buffer::FromString("def"));
    cache.Insert(Numbered(1), original);
  }
  const auto found = cache.Lookup(Numbered(1));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->outputs[0].name, "Y");
  EXPECT_EQ(found->outputs[0].tensor.data.view(), "abcdef");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(found->outputs[0].tensor.data.data()) % 64, 0u);
  EXPECT_EQ(std::get<std::string>(found->parameters[0].value), "v");
  EXPECT_FALSE(cache.Lookup({.high = 8, .low = 1}).has_value());
}

TEST(LocalResponseCacheTest, LetsTheLongestUnusedGo) {
  LocalResponseCache cache(3000);
  const std::string bytes(300, 'x');
  cache.Insert(Numbered(0), Response(bytes));
  const std::size_t one = cache.figures().byte_size;
  const std::uint64_t fit = 3000 / one;
  ASSERT_GE(fit, 2u);
  for (std::uint64_t i = 1; i < fit; ++i) {
    cache.Insert(Numbered(i), Response(bytes));
  }
  EXPECT_TRUE(cache.Lookup(Numbered(0)).has_value());
  cache.Insert(Numbered(fit), Response(bytes));
  EXPECT_TRUE(cache.Lookup(Numbered(0)).has_value());
  EXPECT_FALSE(cache.Lookup(Numbered(1)).has_value());
  EXPECT_EQ(cache.figures().evictions, 1u);
  EXPECT_EQ(cache.figures().entry_count, fit);
}

TEST(LocalResponseCacheTest, AnEvictedAnswer_LivesWhileItIsSent) {
  LocalResponseCache cache(1000);
  cache.Insert(Numbered(1), Response("kept"));
  const auto found = cache.Lookup(Numbered(1));
  cache.Insert(Numbered(2), Response(std::string(300, 'x')));
  EXPECT_FALSE(cache.Lookup(Numbered(1)).has_value());
  EXPECT_EQ(found->outputs[0].tensor.data.view(), "kept");
}

TEST(LocalResponseCacheTest, WhatIsLargerThanTheCache_IsNotKept) {
  LocalResponseCache cache(1000);
  cache.Insert(Numbered(1), Response("a"));
  cache.Insert(Numbered(2), Response(std::string(2000, 'x')));
  EXPECT_TRUE(cache.Lookup(Numbered(1)).has_value());
  EXPECT_FALSE(cache.Lookup(Numbered(2)).has_value());
}

TEST(LocalResponseCacheTest, ReplacesAnEntryOfTheSameKey) {
  LocalResponseCache cache(10'000);
  cache.Insert(Numbered(1), Response("a"));
  const std::size_t before = cache.figures().byte_size;
  cache.Insert(Numbered(1), Response("b"));
  EXPECT_EQ(cache.Lookup(Numbered(1))->outputs[0].tensor.data.view(), "b");
  EXPECT_EQ(cache.figures().byte_size, before);
  EXPECT_EQ(cache.figures().entry_count, 1u);
}

// Catalogue row 167.
TEST(LocalResponseCacheTest, AMillionDistinctAnswers_StayWithinTheSize) {
  LocalResponseCache cache(1 << 20);
  const InferResponse response = Response("1234");
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    cache.Insert(Numbered(i), response);
  }
  const auto figures = cache.figures();
  EXPECT_LE(figures.byte_size, std::size_t{1} << 20);
  EXPECT_EQ(figures.evictions + figures.entry_count, 1'000'000u);
}

TEST(LocalResponseCacheTest, ShowsItsFigures) {
  LocalResponseCache cache(10'000);
  cache.Insert(Numbered(1), Response("a"));
  (void)cache.Lookup(Numbered(1));
  (void)cache.Lookup(Numbered(2));
  telemetry::PrometheusWriter writer;
  cache.Collect(writer);
  const std::string page = writer.Take();
  for (const char* line :
       {"nv_cache_num_entries 1", "nv_cache_num_lookups 2", "nv_cache_num_hits 1",
        "nv_cache_num_misses 1", "nv_cache_num_evictions 0"}) {
    EXPECT_THAT(page, ::testing::HasSubstr(line));
  }
}

class CachedModelTest : public ::testing::Test {
 protected:
  void Start(std::function<void(Batch)> execute) {
    ModelOptions options = SmallModel(2);
    options.cache = cache_;
    model_ = Model::Start(std::move(options),
                          std::make_unique<testing::FakeModel>([this, execute](Batch batch) {
                            executed_ += static_cast<int>(batch.requests.size());
                            execute(std::move(batch));
                          }),
                          Clock::Real())
                 .value();
  }
  ~CachedModelTest() override { EXPECT_TRUE(model_->Drain(10 * kSecond)); }

  std::shared_ptr<Answer> Ask() {
    auto answer = std::make_shared<Answer>();
    model_->Submit(SmallRequest(model_, answer));
    return answer;
  }
  StatisticsSnapshot statistics() const { return model_->statistics().Read(); }

  std::shared_ptr<LocalResponseCache> cache_ = std::make_shared<LocalResponseCache>(100'000);
  std::atomic<int> executed_{0};
  std::shared_ptr<Model> model_;
};

TEST_F(CachedModelTest, AnswersTheSecondRequest_WithoutAnExecution) {
  Start(&testing::AnswerAll);
  EXPECT_TRUE(Ask()->Wait().ok());
  const auto second = Ask();
  EXPECT_TRUE(second->Wait().ok());
  EXPECT_EQ(second->responses(), 1);
  EXPECT_EQ(executed_, 1);
  EXPECT_EQ(statistics().cache_miss.count, 1u);
  EXPECT_EQ(statistics().cache_hit.count, 1u);
  EXPECT_EQ(statistics().success.count, 2u);
  // An answer comes a little before its request has left.
  while (model_->in_flight() > 0) {
    std::this_thread::yield();
  }
}

TEST_F(CachedModelTest, KeepsNoFailures_AndNothingWithSeveralResponses) {
  Start([this](Batch batch) {
    for (auto& request : batch.requests) {
      if (executed_ > 1) {
        request->Send({});
        request->Send({});
      }
      request->Finish(executed_ > 1 ? OkStatus() : Internal("broken"));
    }
  });
  EXPECT_FALSE(Ask()->Wait().ok());
  EXPECT_TRUE(Ask()->Wait().ok());
  EXPECT_TRUE(Ask()->Wait().ok());
  EXPECT_EQ(executed_, 3);
  EXPECT_EQ(statistics().cache_hit.count, 0u);
}

TEST_F(CachedModelTest, RequestsThatMissTogether_AllRun_AndTheNextHits) {
  testing::Latch go;
  Start([&go](Batch batch) {
    go.Wait();
    testing::AnswerAll(std::move(batch));
  });
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 20; ++i) {
    answers.push_back(Ask());
  }
  go.Open();
  for (const auto& answer : answers) {
    EXPECT_TRUE(answer->Wait().ok());
  }
  EXPECT_EQ(executed_, 20);
  EXPECT_EQ(statistics().cache_miss.count, 20u);
  EXPECT_EQ(cache_->figures().entry_count, 1u);
  EXPECT_TRUE(Ask()->Wait().ok());
  EXPECT_EQ(executed_, 20);
}

}  // namespace
}  // namespace headrace::engine
