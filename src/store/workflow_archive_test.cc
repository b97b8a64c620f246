#include "store/workflow_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "repository/testing/archive_maker.h"

namespace headrace::store {
namespace {

using repository::ZipMaker;
using ::testing::HasSubstr;

constexpr char kManifest[] =
    R"({"createdOn": "30/11/2026 00:00:00", "archiverVersion": "0.2.15",
        "workflow": {"workflowName": "flow", "specFile": "spec.yaml", "handler": "functions.py"}})";
constexpr char kSpec[] = "{models: {a: {url: a.mar}}, dag: {pre: [a]}}";

class WorkflowArchiveTest : public ::testing::Test {
 protected:
  WorkflowArchiveTest() : unpacked_({.temporary_directory = ::testing::TempDir()}) {
    std::string name = ::testing::TempDir() + "warXXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~WorkflowArchiveTest() override { std::filesystem::remove_all(directory_); }

  StoreError Open(const std::string& bytes) {
    const std::string path = directory_ + "/flow.war";
    std::ofstream(path, std::ios::binary) << bytes;
    archive_ = {};
    return OpenWorkflowArchive(path, {}, unpacked_, archive_);
  }
  static std::string War(const std::string& manifest, const std::string& spec) {
    return ZipMaker()
        .Add("WAR-INF/MANIFEST.json", manifest)
        .Add("spec.yaml", spec)
        .Add("functions.py", "def pre(data, context): return data\n")
        .Make();
  }

  std::string directory_;
  repository::OverrideStore unpacked_;
  WorkflowArchive archive_;
};

TEST_F(WorkflowArchiveTest, OpensAFile) {
  const StoreError error = Open(War(kManifest, kSpec));
  ASSERT_TRUE(error.ok()) << error.message;
  EXPECT_EQ(archive_.manifest.name, "flow");
  EXPECT_EQ(archive_.manifest.handler, "functions.py");
  EXPECT_EQ(archive_.spec.graph.nodes.size(), 2u);
  EXPECT_TRUE(std::filesystem::exists(archive_.directory + "/functions.py"));
  const std::string directory = archive_.directory;
  archive_ = {};
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST_F(WorkflowArchiveTest, OpensAFolder) {
  ASSERT_TRUE(Open(War(kManifest, kSpec)).ok());
  WorkflowArchive folder;
  ASSERT_TRUE(OpenWorkflowArchive(archive_.directory, {}, unpacked_, folder).ok());
  EXPECT_EQ(folder.directory, archive_.directory);
  EXPECT_EQ(folder.files, nullptr);
}

TEST_F(WorkflowArchiveTest, RefusesWhatIsNoWorkflow) {
  const auto manifest = [](const std::string& workflow) {
    return War(R"({"workflow": {)" + workflow + "}}", kSpec);
  };
  const std::pair<std::string, const char*> cases[] = {
      {"no zip", "archive"},
      {ZipMaker().Add("spec.yaml", kSpec).Make(), "holds no WAR-INF/MANIFEST.json"},
      {War("{", kSpec), "Failed to parse signature.json."},
      {War("[]", kSpec), "Failed to parse signature.json."},
      {War("{}", kSpec), "Missing Workflow entry in manifest file."},
      {War(std::string(100'000, '['), kSpec), "Failed to parse signature.json."},
      {manifest(R"("specFile": "spec.yaml")"), "Workflow name is not defined."},
      {manifest(R"("workflowName": "../flow", "specFile": "spec.yaml")"), "workflowName"},
      {manifest(R"("workflowName": 7, "specFile": "spec.yaml")"), "workflowName"},
      {manifest(R"("workflowName": "flow")"), "specFile"},
      {manifest(R"("workflowName": "flow", "specFile": "other.yaml")"), "other.yaml"},
      {manifest(R"("workflowName": "flow", "specFile": "../../etc/passwd")"), "specFile"},
      {manifest(R"("workflowName": "flow", "specFile": "/etc/passwd")"), "specFile"},
      {manifest(R"("workflowName": "flow", "specFile": "spec.yaml", "handler": "none.py")"),
       "none.py"},
      {manifest(R"("workflowName": "flow", "specFile": "spec.yaml", "handler": "../os.py")"),
       "handler"},
      {ZipMaker().Add("../evil", "x").Add("WAR-INF/MANIFEST.json", kManifest).Make(), "evil"},
  };
  for (const auto& [bytes, what] : cases) {
    const StoreError error = Open(bytes);
    EXPECT_EQ(error.fault, StoreFault::kInvalidModel) << what;
    EXPECT_THAT(error.message, HasSubstr(what));
  }
  const StoreError spec = Open(War(kManifest, "{models: {}, dag: {pre: [pre]}}"));
  EXPECT_EQ(spec.fault, StoreFault::kBadRequest);
  EXPECT_THAT(spec.message, HasSubstr("Invalid workflow specification: spec.yaml: dag: "));
}

TEST_F(WorkflowArchiveTest, RefusesAnArchiveThatIsCutShort) {
  const std::string whole = War(kManifest, kSpec);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_FALSE(Open(whole.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace headrace::store
