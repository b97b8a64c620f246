#include "repository/repository_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

TEST(RepositoryFilesTest, IsInside_ComparesWholeParts) {
  EXPECT_TRUE(IsInside("/a/b", "/a/b"));
  EXPECT_TRUE(IsInside("/a/b", "/a/b/c"));
  EXPECT_TRUE(IsInside("/", "/a"));
  EXPECT_FALSE(IsInside("/a/b", "/a/bc"));
  EXPECT_FALSE(IsInside("/a/b", "/a"));
}

TEST(RepositoryFilesTest, ReadFile_ReadsRegularFilesOnly) {
  TemporaryRepository files;
  files.File("a", std::string("x\0y", 3));
  EXPECT_EQ(*ReadFile(files.path("a"), 3), std::string("x\0y", 3));
  EXPECT_EQ(ReadFile(files.path("a"), 2).status().message(), "'a' has 3 bytes, the limit is 2");
  EXPECT_EQ(ReadFile(files.path("none"), 3).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(files.path(), 3).status().code(), StatusCode::kInvalidArgument);
  ASSERT_EQ(mkfifo(files.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(files.path("pipe"), 3).status().message(), "'pipe' is not a regular file");
}

TEST(RepositoryFilesTest, ResolveInside_RefusesToLeave) {
  TemporaryRepository files;
  files.File("m/labels.txt", "");
  files.Link("m/out", "/etc");
  files.Link("m/in", "labels.txt");
  const std::string root = files.path();
  const std::string model = files.path("m");
  EXPECT_EQ(*ResolveInside(root, model, "labels.txt"), model + "/labels.txt");
  EXPECT_TRUE(ResolveInside(root, model, "in").ok());
  EXPECT_TRUE(ResolveInside(root, model, "not/there").ok());
  for (const std::string name :
       {"", "/etc/passwd", "../other/x", "a/../../x", "..", "out/passwd"}) {
    EXPECT_EQ(ResolveInside(root, model, name).status().code(), StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_FALSE(ResolveInside(root, model, std::string_view("a\0b", 3)).ok());
}

TEST(RepositoryFilesTest, Inspect_FingerprintFollowsContent) {
  TemporaryRepository files;
  files.File("m/1/model.bin", "one");
  const auto before = InspectDirectory(files.path(), files.path("m"), false);
  ASSERT_TRUE(before.ok());
  EXPECT_EQ(InspectDirectory(files.path(), files.path("m"), false)->fingerprint,
            before->fingerprint);
  files.File("m/1/model.bin", "three");
  const auto grown = InspectDirectory(files.path(), files.path("m"), false);
  EXPECT_NE(grown->fingerprint, before->fingerprint);
  files.File("m/2/model.bin", "");
  const auto second = InspectDirectory(files.path(), files.path("m"), false);
  EXPECT_NE(second->fingerprint, grown->fingerprint);
  EXPECT_EQ(second->entries.at("1"), grown->entries.at("1"));
  EXPECT_NE(grown->entries.at("1"), before->entries.at("1"));
  EXPECT_EQ(second->files.size(), 2U);
  EXPECT_EQ(second->files.at("1/model.bin"), grown->files.at("1/model.bin"));
}

TEST(RepositoryFilesTest, Inspect_RefusesLinksThatLeave_UnlessAllowed) {
  TemporaryRepository files;
  files.File("m/1/a", "");
  files.Link("m/1/inside", "../1/a");
  EXPECT_TRUE(InspectDirectory(files.path(), files.path("m"), false).ok());
  files.Link("m/1/weights", "/etc/hostname");
  EXPECT_EQ(InspectDirectory(files.path(), files.path("m"), false).status().message(),
            "link '1/weights' leads outside of the model repository");
  EXPECT_TRUE(InspectDirectory(files.path(), files.path("m"), true).ok());
}

TEST(RepositoryFilesTest, Inspect_EndsOnLinkLoops) {
  TemporaryRepository files;
  files.Link("a/self", "self");
  EXPECT_FALSE(InspectDirectory(files.path(), files.path("a"), false).ok());
  files.Link("b/up", "../b");
  files.Link("b/up2", "../b");
  EXPECT_FALSE(InspectDirectory(files.path(), files.path("b"), false).ok());
}

}  // namespace
}  // namespace headrace::repository
