#include "plugin/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace headrace::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FindLibraryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) /
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directories(root_ / "model" / "3");
    fs::create_directories(root_ / "backends" / "b");
    spec_.model_name = "model";
    spec_.version = 3;
    spec_.backend = "b";
    spec_.model_directory = (root_ / "model").string();
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Touch(const fs::path& relative) {
    std::ofstream(root_ / relative) << "";
    return (root_ / relative).string();
  }
  Result<FoundLibrary> FindWithBackend() {
    return FindLibrary(spec_, (root_ / "backends").string());
  }
  // The path alone.
  Result<std::string> Find() {
    HEADRACE_ASSIGN_OR_RETURN(FoundLibrary found, FindWithBackend());
    return std::move(found.path);
  }

  fs::path root_;
  engine::LoadSpec spec_;
};

TEST_F(FindLibraryTest, PrefersTheVersionThenTheModelThenTheBackendDirectory) {
  const std::string shared = Touch("backends/b/libtriton_b.so");
  EXPECT_EQ(shared, *Find());
  const std::string model = Touch("model/libtriton_b.so");
  EXPECT_EQ(model, *Find());
  const std::string version = Touch("model/3/libtriton_b.so");
  EXPECT_EQ(version, *Find());
}

TEST_F(FindLibraryTest, LetsOpenvinoStandInForTensorflowWhereThatIsMissing) {
  fs::create_directories(root_ / "backends" / "tensorflow");
  fs::create_directories(root_ / "backends" / "openvino");
  spec_.backend = "tensorflow";
  EXPECT_THAT(Find().status().message(), HasSubstr("backend 'tensorflow'"));
  const std::string stand_in = Touch("backends/openvino/libtriton_openvino.so");
  EXPECT_EQ(stand_in, FindWithBackend()->path);
  EXPECT_EQ("openvino", FindWithBackend()->backend);
  const std::string own = Touch("backends/tensorflow/libtriton_tensorflow.so");
  EXPECT_EQ(own, FindWithBackend()->path);
  EXPECT_EQ("tensorflow", FindWithBackend()->backend);
}

TEST_F(FindLibraryTest, LetsNothingStandInForANamedRuntime) {
  fs::create_directories(root_ / "backends" / "openvino");
  Touch("backends/openvino/libtriton_openvino.so");
  spec_.backend = "tensorflow";
  spec_.runtime = "libtriton_tensorflow2.so";
  EXPECT_THAT(Find().status().message(), HasSubstr("unable to find 'libtriton_tensorflow2.so'"));
}

TEST_F(FindLibraryTest, TakesTheRuntimeAsFileName) {
  Touch("backends/b/libtriton_b.so");
  spec_.runtime = "other.so";
  EXPECT_THAT(Find().status().message(), HasSubstr("unable to find 'other.so' for model 'model'"));
  const std::string other = Touch("backends/b/other.so");
  EXPECT_EQ(other, *Find());
}

TEST_F(FindLibraryTest, RefusesNamesThatLeaveTheirDirectory) {
  Touch("secret.so");
  for (const char* runtime : {"../../secret.so", "/etc/passwd", "..", "a/../b.so"}) {
    spec_.runtime = runtime;
    EXPECT_EQ(StatusCode::kInvalidArgument, Find().status().code()) << runtime;
    EXPECT_THAT(Find().status().message(), HasSubstr("must be plain names"));
  }
  spec_.runtime.clear();
  spec_.backend = "../b";
  EXPECT_THAT(Find().status().message(), HasSubstr("must be plain names"));
}

TEST_F(FindLibraryTest, SaysWhereItSearched) {
  EXPECT_THAT(Find().status().message(),
              HasSubstr("unable to find backend library for backend 'b'"));
  EXPECT_THAT(Find().status().message(), HasSubstr((root_ / "backends" / "b").string()));
}

TEST_F(FindLibraryTest, OpenLibrary_FailsForWhatIsNoLibrary) {
  const Result<EntryPoints> opened = OpenLibrary(Touch("model/libtriton_b.so"));
  EXPECT_EQ(StatusCode::kUnavailable, opened.status().code());
  EXPECT_THAT(opened.status().message(), HasSubstr("unable to load shared library"));
}

TEST_F(FindLibraryTest, OpenHostLibrary_OpensTheEmptyLibraryOfTheBuild) {
  EXPECT_TRUE(OpenHostLibrary(HEADRACE_HOST_LIBRARY_DIRECTORY).ok());
  EXPECT_EQ(StatusCode::kNotFound, OpenHostLibrary(root_.string()).code());
}

}  // namespace
}  // namespace headrace::plugin
