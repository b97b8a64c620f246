#include "repository/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(LayoutTest, OpenRepositories_NamesWhatIsWrong) {
  TemporaryRepository files;
  files.File("file", "");
  EXPECT_TRUE(OpenRepositories({files.path()}).ok());
  EXPECT_THAT(OpenRepositories({files.path("none")}).status().message(), HasSubstr("No such file"));
  EXPECT_THAT(OpenRepositories({files.path("file")}).status().message(),
              HasSubstr("is not a directory"));
  EXPECT_THAT(OpenRepositories({files.path(), files.path() + "/."}).status().message(),
              HasSubstr("is given twice"));
  for (const std::string scheme : {"s3://", "gs://", "as://", "http://", "https://"}) {
    const auto opened = OpenRepositories({scheme + "bucket/models"});
    EXPECT_EQ(opened.status().code(), StatusCode::kUnimplemented);
    EXPECT_THAT(opened.status().message(), HasSubstr(scheme + " locations are not supported"));
  }
}

TEST(LayoutTest, Scan_FindsModels_AndSaysWhyNot) {
  TemporaryRepository first;
  TemporaryRepository second;
  first.Directory("good");
  first.Directory("both");
  first.Directory("bad name");
  first.Directory(".git");
  first.File("README", "");
  first.Link("link", "good");
  first.Link("outside", "/etc");
  first.Link("nowhere", "none");
  second.Directory("both");
  second.Directory("other");
  const auto repositories = OpenRepositories({first.path(), second.path()});
  const auto scan = ScanRepositories(*repositories, {});
  std::vector<std::string> models;
  for (const auto& [name, location] : scan.models) {
    models.push_back(name);
  }
  EXPECT_THAT(models, ElementsAre("good", "link", "other"));
  EXPECT_EQ(scan.models.at("good").directory, first.path("good"));
  EXPECT_EQ(scan.models.at("other").repository, second.path());
  EXPECT_EQ(scan.problems.size(), 4U);
  EXPECT_EQ(scan.problems.at("both"), "model appears in two or more repositories");
  EXPECT_THAT(scan.problems.at("bad name"), HasSubstr("invalid model name 'bad name'"));
  EXPECT_THAT(scan.problems.at("outside"), HasSubstr("leads outside of the model repository"));
  EXPECT_THAT(scan.problems.at("nowhere"), HasSubstr("cannot be followed"));

  const auto lax = ScanRepositories(*repositories, {.links_may_leave = true});
  EXPECT_EQ(lax.models.count("outside"), 1U);
}

TEST(LayoutTest, FindModel_AgreesWithScan) {
  TemporaryRepository first;
  TemporaryRepository second;
  first.Directory("good");
  first.Directory("both");
  first.Link("outside", "/etc");
  second.Directory("both");
  const auto repositories = OpenRepositories({first.path(), second.path()});
  EXPECT_EQ(FindModel(*repositories, "good", {})->directory, first.path("good"));
  EXPECT_EQ(FindModel(*repositories, "none", {}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(FindModel(*repositories, "both", {}).status().message(),
            "model appears in two or more repositories");
  EXPECT_EQ(FindModel(*repositories, "../good", {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(FindModel(*repositories, "outside", {}).ok());
}

TEST(LayoutTest, ListVersions_TakesNumbers_ReportsLookAlikes) {
  TemporaryRepository files;
  for (const char* name :
       {"m/10", "m/2", "m/01", "m/-1", "m/1a", "m/99999999999999999999", "m/0", "m/configs"}) {
    files.Directory(name);
  }
  files.File("m/1", "a file");
  files.File("m/config.pbtxt", "");
  const auto list = ListVersions(files.path("m"));
  ASSERT_TRUE(list.ok());
  EXPECT_THAT(list->versions, ElementsAre(2, 10));
  EXPECT_THAT(list->ignored, ElementsAre("-1", "0", "01", "1", "1a", "99999999999999999999"));
}

}  // namespace
}  // namespace headrace::repository
