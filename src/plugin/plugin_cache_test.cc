#include "plugin/plugin_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "plugin/cache_handle.h"

namespace headrace::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr engine::CacheKey kKey{.high = 1, .low = 2};

PluginCacheOptions Options(std::string fault = "none") {
  return {.name = "test",
          .directory = HEADRACE_TEST_CACHES,
          .settings = {{"fault", std::move(fault)}},
          .host_library_directory = HEADRACE_HOST_LIBRARY_DIRECTORY};
}

engine::InferResponse Answer(std::string_view bytes) {
  engine::InferResponse response;
  response.outputs.push_back({.name = "OUTPUT0", .tensor = {}});
  Tensor& tensor = response.outputs[0].tensor;
  tensor.dtype = DataType::kUint8;
  tensor.shape = Shape{static_cast<std::int64_t>(bytes.size())};
  tensor.data = Buffer::CopyOf(bytes);
  return response;
}

std::string Page(const PluginCache& cache) {
  telemetry::PrometheusWriter writer;
  cache.Collect(writer);
  return writer.Take();
}

TEST(PluginCacheTest, GivesBackWhatWasInserted_UnderItsKeyOnly) {
  const auto cache = PluginCache::Create(Options()).value();
  EXPECT_FALSE(cache->Lookup(kKey).has_value());
  cache->Insert(kKey, Answer("abc"));
  cache->Insert({.high = 2, .low = 1}, Answer("other"));
  for (int i = 0; i < 2; ++i) {
    const auto found = cache->Lookup(kKey);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->outputs.at(0).name, "OUTPUT0");
    EXPECT_EQ(found->outputs.at(0).tensor.data.view(), "abc");
  }
  EXPECT_FALSE(cache->Lookup({.high = 1, .low = 3}).has_value());
  EXPECT_THAT(Page(*cache),
              AllOf(HasSubstr("headrace_cache_failures_total{operation=\"lookup\"} 0"),
                    HasSubstr("headrace_cache_failures_total{operation=\"insert\"} 0")));
}

TEST(PluginCacheTest, AnswersOutliveTheCache) {
  auto cache = PluginCache::Create(Options()).value();
  cache->Insert(kKey, Answer("abc"));
  const auto found = cache->Lookup(kKey);
  cache.reset();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->outputs.at(0).tensor.data.view(), "abc");
}

TEST(PluginCacheTest, LookupsThatFail_AreMissesAndCounted) {
  for (const char* fault : {"lookup", "throw", "cut", "garble", "no_copy", "two_buffers"}) {
    SCOPED_TRACE(fault);
    const auto cache = PluginCache::Create(Options(fault)).value();
    cache->Insert(kKey, Answer("abc"));
    EXPECT_FALSE(cache->Lookup(kKey).has_value());
    EXPECT_FALSE(cache->Lookup(kKey).has_value());
    EXPECT_THAT(Page(*cache),
                AllOf(HasSubstr("headrace_cache_failures_total{operation=\"lookup\"} 2"),
                      HasSubstr("headrace_cache_failures_total{operation=\"insert\"} 0")));
  }
}

TEST(PluginCacheTest, InsertionsThatFail_AreCounted) {
  const auto cache = PluginCache::Create(Options("insert")).value();
  cache->Insert(kKey, Answer("abc"));
  EXPECT_FALSE(cache->Lookup(kKey).has_value());
  EXPECT_THAT(Page(*cache), HasSubstr("headrace_cache_failures_total{operation=\"insert\"} 1"));
}

TEST(PluginCacheTest, TensorsInGpuMemory_AreNotInserted) {
  const auto cache = PluginCache::Create(Options()).value();
  engine::InferResponse response = Answer("abc");
  response.outputs[0].tensor.memory_kind = MemoryKind::kGpu;
  cache->Insert(kKey, response);
  EXPECT_FALSE(cache->Lookup(kKey).has_value());
}

TEST(PluginCacheTest, TheLibrarySaysWhatIsWrongWithItsSettings) {
  const auto cache = PluginCache::Create(Options("refuse"));
  EXPECT_EQ(cache.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(cache.status().message(), "cache 'test': {\"fault\":\"refuse\"}");
}

TEST(PluginCacheTest, LibrariesThatAreNone_AreRefused) {
  PluginCacheOptions options = Options();
  options.name = "../test";
  EXPECT_THAT(PluginCache::Create(options).status().message(), HasSubstr("plain name"));
  options.name = "missing";
  EXPECT_EQ(PluginCache::Create(options).status().code(), StatusCode::kNotFound);
  EXPECT_THAT(PluginCache::Create(options).status().message(),
              HasSubstr("test_caches/missing/libtritoncache_missing.so"));

  const fs::path root = fs::path(::testing::TempDir()) / "no_caches";
  fs::remove_all(root);
  fs::create_directories(root / "empty");
  fs::create_directories(root / "damaged");
  fs::copy_file(fs::path(HEADRACE_HOST_LIBRARY_DIRECTORY) / "libtritonserver.so",
                root / "empty" / "libtritoncache_empty.so");
  fs::copy_file("/proc/self/status", root / "damaged" / "libtritoncache_damaged.so");
  options.directory = root.string();
  options.name = "empty";
  EXPECT_THAT(PluginCache::Create(options).status().message(),
              HasSubstr("required entrypoint 'TRITONCACHE_CacheInitialize'"));
  options.name = "damaged";
  EXPECT_EQ(PluginCache::Create(options).status().code(), StatusCode::kUnavailable);
}

class CacheEntriesTest : public ::testing::Test {
 protected:
  // The failure's text; empty for success.
  static std::string Text(TRITONSERVER_Error* error) { return TakeTriton(error).message(); }

  TRITONCACHE_CacheEntry entry_;
  TRITONSERVER_BufferAttributes attributes_{.byte_size = 3};
  char bytes_[4] = "abc";
};

TEST_F(CacheEntriesTest, BuffersAreAddedReadAndSet) {
  ASSERT_EQ(Text(TRITONCACHE_CacheEntryAddBuffer(&entry_, bytes_, &attributes_)), "");
  std::size_t count = 0;
  ASSERT_EQ(Text(TRITONCACHE_CacheEntryBufferCount(&entry_, &count)), "");
  EXPECT_EQ(count, 1u);
  ASSERT_EQ(Text(TRITONCACHE_CacheEntrySetBuffer(&entry_, 0, bytes_ + 1, nullptr)), "");
  void* base = nullptr;
  TRITONSERVER_BufferAttributes read;
  ASSERT_EQ(Text(TRITONCACHE_CacheEntryGetBuffer(&entry_, 0, &base, &read)), "");
  EXPECT_EQ(base, bytes_ + 1);
  EXPECT_EQ(read.byte_size, 3u);
  attributes_.byte_size = 2;
  ASSERT_EQ(Text(TRITONCACHE_CacheEntrySetBuffer(&entry_, 0, bytes_, &attributes_)), "");
  ASSERT_EQ(Text(TRITONCACHE_CacheEntryGetBuffer(&entry_, 0, &base, &read)), "");
  EXPECT_EQ(read.byte_size, 2u);
}

TEST_F(CacheEntriesTest, CallsWithoutSense_AreRefused) {
  void* base = nullptr;
  EXPECT_THAT(Text(TRITONCACHE_CacheEntryGetBuffer(&entry_, 0, &base, &attributes_)),
              HasSubstr("has 0 buffers, not one at 0"));
  EXPECT_THAT(Text(TRITONCACHE_CacheEntrySetBuffer(&entry_, 1, bytes_, nullptr)),
              HasSubstr("not one at 1"));
  EXPECT_NE(Text(TRITONCACHE_CacheEntryAddBuffer(&entry_, nullptr, &attributes_)), "");
  EXPECT_NE(Text(TRITONCACHE_CacheEntryAddBuffer(&entry_, bytes_, nullptr)), "");
  EXPECT_NE(Text(TRITONCACHE_CacheEntryBufferCount(nullptr, nullptr)), "");
  EXPECT_NE(Text(TRITONCACHE_Copy(nullptr, &entry_)), "");
  for (std::size_t i = 0; i < TRITONCACHE_CacheEntry::kBufferCountMax; ++i) {
    ASSERT_EQ(Text(TRITONCACHE_CacheEntryAddBuffer(&entry_, bytes_, &attributes_)), "");
  }
  EXPECT_THAT(Text(TRITONCACHE_CacheEntryAddBuffer(&entry_, bytes_, &attributes_)),
              HasSubstr("at most 1024 buffers"));
}

TEST_F(CacheEntriesTest, EntriesCanBeMade_AndTheVersionAsked) {
  TRITONCACHE_CacheEntry* made = nullptr;
  ASSERT_EQ(Text(TRITONCACHE_CacheEntryNew(&made)), "");
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(Text(TRITONCACHE_CacheEntryDelete(made)), "");
  std::uint32_t major = 9, minor = 9;
  ASSERT_EQ(Text(TRITONCACHE_ApiVersion(&major, &minor)), "");
  EXPECT_EQ(major, 0u);
  EXPECT_EQ(minor, 1u);
}

}  // namespace
}  // namespace headrace::plugin
