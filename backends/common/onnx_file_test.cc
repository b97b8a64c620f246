#include "common/onnx_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/testing/onnx_writer.h"

namespace headrace::backend {
namespace {

namespace fs = std::filesystem;
using testing::AddModel;
using testing::Bytes;
using testing::ExternalTensor;
using ::testing::HasSubstr;
using testing::Model;

class InspectOnnxFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) /
            (::testing::UnitTest::GetInstance()->current_test_info()->name() +
             std::to_string(getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "model" / "1");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const fs::path& relative, const std::string& content) {
    fs::create_directories((root_ / relative).parent_path());
    std::ofstream(root_ / relative, std::ios::binary) << content;
  }
  Error Inspect(const std::string& content) {
    Write("model/1/model.onnx", content);
    return InspectOnnxFile((root_ / "model/1/model.onnx").string(), (root_ / "model").string(),
                           &files_);
  }
  // The failure of a model with one tensor whose data lie in a file.
  std::string Refusal(std::string_view location, std::string_view offset = "",
                      std::string_view length = "") {
    const Error error = Inspect(Model(Bytes(5, ExternalTensor(location, offset, length))));
    EXPECT_FALSE(error.ok());
    return error.ok() ? "" : error.message();
  }

  fs::path root_;
  std::vector<ExternalFile> files_;
};

TEST_F(InspectOnnxFileTest, TakesAWholeModel) {
  const Error error = Inspect(AddModel(4));
  EXPECT_TRUE(error.ok()) << error.message();
  EXPECT_TRUE(files_.empty());
}

TEST_F(InspectOnnxFileTest, RefusesWhatIsCutShortAnywhere) {
  const std::string whole = AddModel(4);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Error error = Inspect(whole.substr(0, size));
    // Between two fields of the outermost message the rest is only missing.
    if (error.ok()) {
      EXPECT_GT(size, whole.size() / 2);
    }
  }
  EXPECT_THAT(Inspect("").message(), HasSubstr("is empty"));
}

TEST_F(InspectOnnxFileTest, RefusesWhatIsNoModel) {
  EXPECT_THAT(Inspect("hello, world").message(), HasSubstr("not an ONNX model"));
  EXPECT_THAT(Inspect(std::string(4096, '\xff')).message(), HasSubstr("not an ONNX model"));
  EXPECT_THAT(Inspect(Bytes(2, "producer")).message(), HasSubstr("holds no graph"));
}

TEST_F(InspectOnnxFileTest, RefusesMessagesThatAreNestedTooDeeply) {
  std::string graph = Bytes(2, "innermost");
  for (int i = 0; i < 60; ++i) {  // graph -> node -> attribute -> graph
    graph = Bytes(1, Bytes(5, Bytes(6, graph)));
  }
  EXPECT_THAT(Inspect(Model(graph)).message(), HasSubstr("nested more than"));
}

TEST_F(InspectOnnxFileTest, ListsFilesOfExternalDataOnce) {
  Write("model/1/weights/w.bin", std::string(100, 'w'));
  const std::string tensors = Bytes(5, ExternalTensor("weights/w.bin", "0", "40")) +
                              Bytes(5, ExternalTensor("weights/w.bin", "40", "60"));
  const Error error = Inspect(Model(tensors));
  ASSERT_TRUE(error.ok()) << error.message();
  ASSERT_EQ(1u, files_.size());
  EXPECT_EQ("weights/w.bin", files_[0].location);
  EXPECT_EQ(100u, files_[0].byte_size);
  EXPECT_EQ(fs::canonical(root_ / "model/1/weights/w.bin"), files_[0].path);
}

TEST_F(InspectOnnxFileTest, FindsExternalDataWhereverTensorsMayBe) {
  const std::string tensor = ExternalTensor("missing.bin", "", "");
  const std::string attribute = Bytes(5, tensor);
  for (const std::string& model :
       {Model(Bytes(1, Bytes(5, attribute))),                   // of a node
        Model(Bytes(1, Bytes(5, Bytes(10, tensor)))),           // in a list of one
        Model(Bytes(1, Bytes(5, Bytes(6, Bytes(5, tensor))))),  // of a body
        Model(Bytes(15, Bytes(1, tensor))),                     // sparse
        Model("") + Bytes(25, Bytes(7, Bytes(5, attribute))),   // of a function
        Model("") + Bytes(20, Bytes(2, Bytes(5, tensor)))}) {   // of the training
    EXPECT_THAT(Inspect(model).message(), HasSubstr("'missing.bin' does not exist"));
  }
}

TEST_F(InspectOnnxFileTest, RefusesLocationsThatLeaveTheModel) {
  Write("secret.bin", "secret");
  Write("model/w.bin", "weights");
  for (const std::string& location :
       {std::string("../../secret.bin"), (root_ / "secret.bin").string(), std::string("a/../w.bin"),
        std::string("w\0.bin", 6), std::string("..")}) {
    EXPECT_THAT(Refusal(location), HasSubstr("is not a path below the model's directory"));
  }
  EXPECT_THAT(Refusal(""), HasSubstr("is not a path below the model's directory"));
  // How the runtime marks data in its own memory.
  EXPECT_THAT(Refusal("*/_ORT_MEM_ADDR_/*"), HasSubstr("not"));
}

TEST_F(InspectOnnxFileTest, RefusesLinksAndWhatIsNoFile) {
  Write("elsewhere/w.bin", "weights");
  Write("model/1/real.bin", "weights");
  fs::create_symlink(root_ / "elsewhere/w.bin", root_ / "model/1/outside.bin");
  fs::create_symlink("real.bin", root_ / "model/1/inside.bin");
  fs::create_directory_symlink(root_ / "elsewhere", root_ / "model/1/away");
  fs::create_directories(root_ / "model/1/directory");
  EXPECT_THAT(Refusal("outside.bin"), HasSubstr("is a symbolic link"));
  EXPECT_THAT(Refusal("inside.bin"), HasSubstr("is a symbolic link"));
  EXPECT_THAT(Refusal("away/w.bin"), HasSubstr("are outside of the model's directory"));
  EXPECT_THAT(Refusal("directory"), HasSubstr("is not a regular file"));
  EXPECT_THAT(Refusal("missing.bin"), HasSubstr("does not exist"));
}

TEST_F(InspectOnnxFileTest, RefusesPlacesOutsideOfTheFile) {
  Write("model/1/w.bin", std::string(100, 'w'));
  EXPECT_THAT(Refusal("w.bin", "101"), HasSubstr("past the end of 'w.bin', which has 100 bytes"));
  EXPECT_THAT(Refusal("w.bin", "60", "41"), HasSubstr("past the end"));
  EXPECT_THAT(Refusal("w.bin", "0", "9223372036854775808"), HasSubstr("past the end"));
  EXPECT_THAT(Refusal("w.bin", "18446744073709551615", "2"), HasSubstr("past the end"));
  EXPECT_THAT(Refusal("w.bin", "0", "18446744073709551616"), HasSubstr("not a number"));
  EXPECT_THAT(Refusal("w.bin", "-1"), HasSubstr("not a number"));
  EXPECT_THAT(Refusal("w.bin", "1e3"), HasSubstr("not a number"));
}

TEST_F(InspectOnnxFileTest, LeavesTheRuntimesOwnFormatAlone) {
  const Error error = Inspect(std::string("\x1c\0\0\0ORTM", 8) + std::string(100, '\0'));
  EXPECT_TRUE(error.ok()) << error.message();
}

TEST_F(InspectOnnxFileTest, RefusesAFileThatIsNone) {
  EXPECT_THAT(InspectOnnxFile((root_ / "model").string(), root_.string(), &files_).message(),
              HasSubstr("is not a regular file"));
  EXPECT_THAT(InspectOnnxFile((root_ / "gone").string(), root_.string(), &files_).message(),
              HasSubstr("unable to open"));
}

}  // namespace
}  // namespace headrace::backend
