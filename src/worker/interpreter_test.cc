#include "worker/interpreter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace headrace::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class InterpreterTest : public ::testing::Test {
 protected:
  InterpreterTest() {
    char folder[] = "/tmp/headrace_interpreter_test_XXXXXX";
    root_ = mkdtemp(folder);
    fs::create_directories(temporary());
    fs::create_directories(model());
  }
  ~InterpreterTest() override { fs::remove_all(root_); }

  fs::path temporary() const { return root_ / "tmp"; }
  fs::path model() const { return root_ / "model"; }
  static void WriteProgram(const fs::path& path, const std::string& text = "#!/bin/sh\n") {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    chmod(path.c_str(), 0755);
  }
  // Runs Python's tarfile over `script`, which has `t` to add to; the archive is model()/name.
  std::string Archive(const std::string& name, const std::string& script) {
    const std::string path = model() / name;
    const std::string program = root_ / "make.py";
    std::ofstream(program) << "import io, tarfile\n"
                              "def add(name, text='', type=tarfile.REGTYPE, link='', mode=0o755):\n"
                              "  i = tarfile.TarInfo(name); i.type = type; i.linkname = link\n"
                              "  i.mode = mode; i.size = len(text); i.mtime = 1000000000\n"
                              "  t.addfile(i, io.BytesIO(text.encode()))\n"
                           << fmt::format("t = tarfile.open('{}', 'w:gz')\n", path) << script
                           << "\nt.close()\n";
    EXPECT_EQ(std::system(("python3 -S " + program).c_str()), 0);
    return path;
  }
  InterpreterRequest Request(std::string environment) const {
    return {.execution_environment = std::move(environment),
            .model_directory = model(),
            .path = "/usr/bin:/bin"};
  }
  std::string ErrorOf(const std::string& environment) {
    return interpreters().Find(Request(environment)).status().ToString();
  }
  Interpreters& interpreters() {
    if (!interpreters_) {
      interpreters_.emplace(temporary(), UnpackLimits{.byte_size_max = 1000, .entry_count_max = 9});
    }
    return *interpreters_;
  }
  std::size_t UnpackedCount() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(temporary()), fs::directory_iterator()));
  }

  fs::path root_;
  std::optional<Interpreters> interpreters_;
};

TEST_F(InterpreterTest, IsTheConfiguredOneByDefault) {
  WriteProgram(root_ / "bin/mypython");
  InterpreterRequest request = Request("");
  request.default_interpreter = "mypython";
  request.path = root_ / "bin";
  const auto found = interpreters().Find(request);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->program, root_ / "bin/mypython");
  EXPECT_EQ(found->files, nullptr);
  request.default_interpreter = "nopython";
  EXPECT_THAT(interpreters().Find(request).status().ToString(),
              StartsWith("INVALID_ARGUMENT: --backend-config=python,interpreter: 'nopython' is no "
                         "program that this server may execute from its PATH"));
}

TEST_F(InterpreterTest, MayBeTheModelsOwn) {
  WriteProgram(model() / "venv/bin/python");
  std::ofstream(model() / "venv/pyvenv.cfg") << "home = /usr/bin\n";
  InterpreterRequest request = Request("");
  request.path = "/usr/bin:/bin";
  for (const char* name : {"venv", "./venv"}) {
    request.model_interpreter = name;
    if (request.model_interpreter.find('/') == std::string::npos) {
      request.model_interpreter = "$$TRITON_MODEL_DIRECTORY/venv";
    }
    const auto found = interpreters().Find(request);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_THAT(found->program, ::testing::EndsWith("venv/bin/python"));
    EXPECT_THAT(found->environment.at("VIRTUAL_ENV"), ::testing::EndsWith("venv"));
    EXPECT_THAT(found->environment.at("PATH"), ::testing::EndsWith("venv/bin:/usr/bin:/bin"));
  }
  request.model_interpreter = "/nowhere/python";
  EXPECT_THAT(interpreters().Find(request).status().message(),
              HasSubstr("parameter python_interpreter: '/nowhere/python' is no program"));
}

TEST_F(InterpreterTest, AnEnvironmentMayBeAFolder) {
  WriteProgram(model() / "env/bin/python3");
  const auto found = interpreters().Find(Request("$$TRITON_MODEL_DIRECTORY/env"));
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->program, model() / "env/bin/python3");
  EXPECT_EQ(found->environment.at("CONDA_PREFIX"), model() / "env");
  fs::create_directories(model() / "empty");
  EXPECT_THAT(ErrorOf("$$TRITON_MODEL_DIRECTORY/empty"),
              HasSubstr("has neither bin/python3 nor bin/python"));
  EXPECT_THAT(ErrorOf("/nowhere/env.tar.gz"),
              HasSubstr("'/nowhere/env.tar.gz' cannot be read: No such file or directory"));
}

TEST_F(InterpreterTest, ArchivesAreUnpackedOnceAndRemovedWithTheLastUser) {
  const std::string script =
      "add('bin', type=tarfile.DIRTYPE)\n"
      "add('bin/python3.9', '#!/bin/sh\\necho $1')\n"
      "add('bin/python3', type=tarfile.SYMTYPE, link='python3.9')\n"
      "add('./lib/caf\\u00e9.py', 'x', mode=0o4777)\n"
      "add('lib/copy.py', type=tarfile.LNKTYPE, link='lib/caf\\u00e9.py')\n";
  Archive("a.tar.gz", script);
  fs::copy_file(model() / "a.tar.gz", model() / "b.tar.gz");
  {
    const auto first = interpreters().Find(Request("$$TRITON_MODEL_DIRECTORY/a.tar.gz"));
    ASSERT_TRUE(first.ok()) << first.status().ToString();
    const auto second = interpreters().Find(Request(model() / "b.tar.gz"));
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(first->program, second->program);
    EXPECT_THAT(first->program, StartsWith(temporary().string() + "/headrace_environment_"));
    EXPECT_EQ(UnpackedCount(), 1U);
    const fs::path folder = fs::path(first->program).parent_path().parent_path();
    struct stat status;
    ASSERT_EQ(stat((folder / "lib/caf\u00e9.py").c_str(), &status), 0);
    EXPECT_EQ(status.st_mtime, 1000000000);
    EXPECT_EQ(status.st_mode & 07000, 0U);
    EXPECT_EQ(status.st_nlink, 2U);
    ASSERT_EQ(stat(folder.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
  }
  EXPECT_EQ(UnpackedCount(), 0U);
  EXPECT_TRUE(interpreters().Find(Request(model() / "b.tar.gz")).ok());
}

TEST_F(InterpreterTest, ArchivesThatReachOutAreRefused) {
  const std::string outside = root_ / "outside";
  struct Case {
    const char* script;
    const char* message;
  };
  for (const Case& bad : {
           Case{"add('../evil', 'x')", "its entry '../evil': it would lie outside of the folder"},
           Case{"add('a/../../evil', 'x')", "outside of the folder"},
           Case{"add('/tmp/evil', 'x')", "outside of the folder"},
           Case{"add('l', type=tarfile.SYMTYPE, link='/tmp')\nadd('l/evil', 'x')", "'l/evil'"},
           Case{"add('h', type=tarfile.LNKTYPE, link='/etc/passwd')", "links to what lies outside"},
           Case{"add('h', type=tarfile.LNKTYPE, link='../../etc/passwd')", "links to what lies"},
           Case{"add('f', type=tarfile.FIFOTYPE)", "neither file, folder nor link"},
           Case{"add('f', 'x' * 2000)", "more than 1000 bytes"},
           Case{"for i in range(10): add(str(i))", "more than 9 entries"},
       }) {
    EXPECT_THAT(ErrorOf(Archive("bad.tar.gz", bad.script)), HasSubstr(bad.message)) << bad.script;
    EXPECT_EQ(UnpackedCount(), 0U);
  }
  EXPECT_FALSE(fs::exists("/tmp/evil"));
  EXPECT_FALSE(fs::exists(temporary() / "evil"));
}

TEST_F(InterpreterTest, WhatIsNoArchiveIsRefused) {
  std::ofstream(model() / "no.tar.gz") << "this is no archive, not even a small one";
  EXPECT_THAT(ErrorOf("$$TRITON_MODEL_DIRECTORY/no.tar.gz"),
              StartsWith("INVALID_ARGUMENT: EXECUTION_ENV_PATH: archive '"));
  const std::string whole = Archive("cut.tar.gz", "add('bin/python3', 'x' * 900)");
  fs::resize_file(whole, fs::file_size(whole) - 20);
  EXPECT_THAT(ErrorOf(whole), StartsWith("INVALID_ARGUMENT: EXECUTION_ENV_PATH: archive '"));
  EXPECT_EQ(UnpackedCount(), 0U);
}

TEST(Unpack, KnowsWhatStaysInside) {
  for (const char* path : {"a", "a/b", "./a", ".", "a..b", "...", "a/./b"}) {
    EXPECT_TRUE(StaysInside(path)) << path;
  }
  for (const char* path : {"", "/", "/a", "..", "../a", "a/..", "a/../b", "a//..//b"}) {
    EXPECT_FALSE(StaysInside(path)) << path;
  }
}

}  // namespace
}  // namespace headrace::worker
