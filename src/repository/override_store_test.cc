#include "repository/override_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/unique_fd.h"
#include "repository/config_text.h"
#include "repository/layout.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Status CheckPath(const std::string& path, bool allow_code = false) {
  return CheckOverrideFiles({{path, ""}}, allow_code);
}

TEST(OverrideRulesTest, TakesPathsInsideTheModel) {
  for (const char* path :
       {"1/model.onnx", "labels.txt", "1/saved/variables/data-00000", "..a/b..", "1/python.onnx"}) {
    EXPECT_TRUE(CheckPath(path).ok()) << path;
  }
  EXPECT_TRUE(CheckPath("1/" + std::string(255, 'a')).ok());
}

TEST(OverrideRulesTest, RefusesPathsThatLeaveTheModel) {
  for (const std::string& path :
       {std::string(), std::string("/etc/passwd"), std::string(".."), std::string("../x"),
        std::string("1/../../x"), std::string("1/.."), std::string("./x"), std::string("1//x"),
        std::string("1/"), std::string("a\nb"), std::string("a\0b", 3), std::string("1\\x"),
        "1/" + std::string(256, 'a'), std::string(1100, 'a')}) {
    EXPECT_EQ(CheckPath(path).code(), StatusCode::kInvalidArgument) << path;
  }
  std::string deep = "x";
  for (int i = 0; i < 16; ++i) {
    deep = "d/" + deep;
  }
  EXPECT_THAT(CheckPath(deep).message(), HasSubstr("at most 16 levels"));
  EXPECT_THAT(CheckOverrideFiles({{"1/a", ""}, {"1/a/b", ""}}, false).message(),
              HasSubstr("'file:1/a' is also a directory of 'file:1/a/b'"));
  EXPECT_TRUE(CheckOverrideFiles({{"1/a", ""}, {"1/a.b/c", ""}}, false).ok());
}

TEST(OverrideRulesTest, RefusesCode_UnlessAllowed) {
  for (const char* path :
       {"1/model.py", "libtriton_x.so", "1/libx.so.3", "x/y/MODEL.PY", "a.pyc"}) {
    EXPECT_EQ(CheckPath(path).code(), StatusCode::kPermissionDenied) << path;
    EXPECT_TRUE(CheckPath(path, true).ok()) << path;
  }
  for (const char* text : {"backend: \"python\"", "backend: \"b\" runtime: \"model.py\"",
                           "model_operations { op_library_filename: \"x.so\" }"}) {
    const Status status = CheckOverrideConfig(*ParseConfigText(text, "test"));
    EXPECT_EQ(status.code(), StatusCode::kPermissionDenied) << text;
    EXPECT_THAT(status.message(), HasSubstr("--allow-code-override"));
  }
  EXPECT_TRUE(CheckOverrideConfig(*ParseConfigText("backend: \"onnxruntime\"", "test")).ok());
}

class OverrideStoreTest : public testing::Test {
 protected:
  OverrideStore::Options Options(std::size_t byte_size_max = 1000) const {
    return {files_.path(), byte_size_max};
  }
  std::vector<std::string> Entries() const { return ListEntries(files_.path()); }

  TemporaryRepository files_;
};

TEST_F(OverrideStoreTest, MakesTheFiles_AndRemovesThemWithTheirOwner) {
  {
    OverrideStore store(Options());
    auto source = store.Create("m", "{}", {{"1/a.bin", std::string("a\0b", 3)}, {"labels", "x"}});
    ASSERT_TRUE(source.ok()) << source.status().message();
    const std::string directory = source->location.directory;
    EXPECT_EQ(*ReadFile(directory + "/1/a.bin", 100), std::string("a\0b", 3));
    EXPECT_EQ(*ReadFile(directory + "/labels", 100), "x");
    EXPECT_EQ(*source->config_json, "{}");
    EXPECT_TRUE(IsInside(source->location.repository, directory));
    EXPECT_EQ(store.byte_size(), 4U);
    struct stat status {};
    ASSERT_EQ(stat(source->location.repository.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);

    const auto second = store.Create("m", "{}", {{"1/a.bin", "other"}});
    EXPECT_NE(second->location.directory, directory);
    source = Internal("gone");
    EXPECT_EQ(stat(directory.c_str(), &status), -1);
    EXPECT_EQ(store.byte_size(), 5U);
  }
  EXPECT_THAT(Entries(), SizeIs(0));
}

TEST_F(OverrideStoreTest, ASourceMayOutliveTheStore) {
  Result<ModelSource> source = Internal("none yet");
  {
    OverrideStore store(Options());
    source = store.Create("m", "{}", {{"1/a", "x"}});
  }
  EXPECT_TRUE(ReadFile(source->location.directory + "/1/a", 10).ok());
  source = Internal("gone");
  EXPECT_THAT(Entries(), SizeIs(0));
}

TEST_F(OverrideStoreTest, ChargesBytes_AndGivesThemBackWhenItRefuses) {
  OverrideStore store(Options(10));
  const auto first = store.Create("m", "{}", {{"1/a", "123456"}});
  ASSERT_TRUE(first.ok());
  const auto second = store.Create("n", "{}", {{"1/a", "12345"}});
  EXPECT_EQ(second.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(second.status().message(), HasSubstr("--override-byte-size-max"));
  EXPECT_TRUE(store.Create("n", "{}", {{"1/a", "1234"}}).ok());
  EXPECT_EQ(store.byte_size(), 6U);
}

TEST_F(OverrideStoreTest, LeavesNothing_WhenTheFileSystemFails) {
  OverrideStore nowhere({files_.path("none"), 1000});
  EXPECT_EQ(nowhere.Create("m", "{}", {{"1/a", "x"}}).status().code(), StatusCode::kInternal);
  EXPECT_EQ(nowhere.byte_size(), 0U);
  OverrideStore store(Options());
  EXPECT_FALSE(store.Create("m", "{}", {{"1/ok", "x"}, {"1/" + std::string(256, 'a'), "x"}}).ok());
  EXPECT_EQ(store.byte_size(), 0U);
  ASSERT_THAT(Entries(), SizeIs(1));
  EXPECT_THAT(ListEntries(files_.path(Entries()[0])), SizeIs(0));
}

TEST_F(OverrideStoreTest, RemovesWhatOthersLeftBehind_AndNothingThatIsInUse) {
  files_.File("headrace-models-stale/x/m/1/a", "x");
  files_.File("headrace-models-alive/x/m/1/a", "x");
  files_.File("another/file", "x");
  files_.Link("headrace-models-link", files_.path("another"));
  const UniqueFd alive(open(files_.path("headrace-models-alive").c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(flock(alive.get(), LOCK_EX | LOCK_NB), 0);
  OverrideStore mine(Options());
  const auto source = mine.Create("m", "{}", {{"1/a", "x"}});
  OverrideStore(Options()).RemoveStale();
  EXPECT_TRUE(ReadFile(source->location.directory + "/1/a", 10).ok());
  EXPECT_TRUE(ReadFile(files_.path("headrace-models-alive/x/m/1/a"), 10).ok());
  EXPECT_TRUE(ReadFile(files_.path("another/file"), 10).ok());
  EXPECT_FALSE(ReadFile(files_.path("headrace-models-stale/x/m/1/a"), 10).ok());
}

}  // namespace
}  // namespace headrace::repository
