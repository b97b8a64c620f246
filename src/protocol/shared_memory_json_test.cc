#include "protocol/shared_memory_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/v2_test_support.h"

namespace headrace::protocol {
namespace {

using ::testing::HasSubstr;

auto Parse(const std::string& text) {
  BlockPool pool;
  MutableBuffer memory = std::move(pool.Allocate(text.size())).value();
  text.copy(reinterpret_cast<char*>(memory.data()), text.size());
  const Buffer body = std::move(memory).Freeze();
  return ParseSystemSharedMemoryRegisterRequest(body.view());
}

TEST(SharedMemoryJsonTest, Register_TakesKeyOffsetAndSize) {
  const auto request =
      Parse(R"({"key":"/k","offset":16,"byte_size":18446744073709551615,"x":[1]})");
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_EQ(request->key, "/k");
  EXPECT_EQ(request->offset, 16u);
  EXPECT_EQ(request->byte_size, UINT64_MAX);
  EXPECT_EQ(Parse(R"({"key":"/k","byte_size":1})")->offset, 0u);
}

TEST(SharedMemoryJsonTest, Register_NamesWhatIsMissingOrWrong) {
  EXPECT_THAT(Parse(R"({"byte_size":1})").status().message(), HasSubstr("'key'"));
  EXPECT_THAT(Parse(R"({"key":"k"})").status().message(), HasSubstr("'byte_size'"));
  EXPECT_THAT(Parse(R"({"key":1,"byte_size":1})").status().message(), HasSubstr("'key'"));
  EXPECT_THAT(Parse(R"({"key":"k","byte_size":-1})").status().message(), HasSubstr("byte_size"));
  EXPECT_THAT(Parse(R"({"key":"k","byte_size":1,"offset":"0"})").status().message(),
              HasSubstr("offset"));
  for (const char* text : {"", "[]", "null", "{", R"({"key":"k","byte_size":1}x)",
                           R"({"key":"k","key":"k","byte_size":1})"}) {
    EXPECT_EQ(Parse(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace headrace::protocol
