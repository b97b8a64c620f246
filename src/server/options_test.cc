#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "server/option_sources.h"

namespace headrace::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class OptionsTest : public ::testing::Test {
 protected:
  Result<ResolvedConfig> Resolve(const std::vector<std::string>& arguments) {
    return ResolveConfig(arguments, [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }

  std::string WriteFile(const std::string& text) {
    // One file per process: the tests of this program run side by side.
    std::ofstream(file_) << text;
    return file_;
  }
  void TearDown() override { std::remove(file_.c_str()); }

  std::map<std::string, std::string> environment_;
  const std::string file_ =
      ::testing::TempDir() + "headrace_options_test_" + std::to_string(::getpid()) + ".yaml";
};

TEST_F(OptionsTest, Flags_AcceptBothForms) {
  const auto resolved = Resolve({"--http-port=1234", "--model-repository", "a", "--model-store=b"});
  ASSERT_TRUE(resolved.ok()) << resolved.status().ToString();
  EXPECT_EQ(resolved->config.http_port, 1234u);
  EXPECT_THAT(resolved->config.model_repositories, ElementsAre("a", "b"));
}

TEST_F(OptionsTest, Flags_EveryOptionIsKnownAndTakesItsValue) {
  for (const Option& option : ServerOptions()) {
    const std::string flag = "--" + std::string(option.name);
    const bool is_switch = option.kind == OptionKind::kSwitch;
    const auto resolved = Resolve({is_switch ? flag : flag + "=1"});
    if (!resolved.ok()) {  // a value of another kind; but the option itself is known
      EXPECT_THAT(resolved.status().message(), Not(HasSubstr("needs a value")));
      EXPECT_THAT(resolved.status().message(), Not(HasSubstr("unknown or ambiguous")));
    }
  }
}

TEST_F(OptionsTest, Flags_AcceptUnambiguousPrefixes) {
  const auto resolved = Resolve({"--model-rep=a", "--exit-t=5"});
  ASSERT_TRUE(resolved.ok()) << resolved.status().ToString();
  EXPECT_EQ(resolved->config.exit_timeout_s, 5u);
}

TEST_F(OptionsTest, Flags_RefuseAmbiguousPrefixUnknownNameAndStrayArgument) {
  EXPECT_THAT(Resolve({"--http=1"}).status().message(), HasSubstr("--http=1"));
  EXPECT_THAT(Resolve({"--no-such-flag=1"}).status().message(), HasSubstr("--no-such-flag"));
  EXPECT_THAT(Resolve({"stray"}).status().message(), HasSubstr("stray"));
  EXPECT_THAT(Resolve({"--http-port"}).status().message(), HasSubstr("needs a value"));
}

TEST_F(OptionsTest, Values_AreCheckedAndNamed) {
  EXPECT_THAT(Resolve({"--http-port=65536"}).status().message(),
              HasSubstr("--http-port (flag): expected a number"));
  EXPECT_THAT(Resolve({"--http-port=80x"}).status().message(), HasSubstr("80x"));
  EXPECT_THAT(Resolve({"--allow-metrics=perhaps"}).status().message(), HasSubstr("true or false"));
  EXPECT_THAT(Resolve({"--model-control-mode=polling"}).status().message(),
              HasSubstr("expected none, poll or explicit"));
  EXPECT_THAT(Resolve({"--backend-config=onnxruntime"}).status().message(),
              HasSubstr("<key>=<value>"));
}

TEST_F(OptionsTest, Sources_FlagsWinOverEnvironmentOverFile) {
  const std::string file =
      WriteFile("http_port: 1\nid: from-file\nmodel-repository: [x, y]\nmetrics-port: 7\n");
  environment_ = {{"HEADRACE_HTTP_PORT", "2"}, {"HEADRACE_ID", "from-environment"}};
  const auto resolved = Resolve({"--config=" + file, "--http-port=3", "--model-repository=z"});
  ASSERT_TRUE(resolved.ok()) << resolved.status().ToString();
  EXPECT_EQ(resolved->config.http_port, 3u);
  EXPECT_EQ(resolved->config.server_id, "from-environment");
  EXPECT_EQ(resolved->config.metrics_port, 7u);
  EXPECT_THAT(resolved->config.model_repositories, ElementsAre("z"));

  const std::string printed = PrintConfig(*resolved);
  EXPECT_THAT(printed, HasSubstr("http-port: 3  # flag"));
  EXPECT_THAT(printed, HasSubstr("id: from-environment  # environment HEADRACE_ID"));
  EXPECT_THAT(printed, HasSubstr("metrics-port: 7  # file "));
  EXPECT_THAT(printed, HasSubstr("exit-timeout-secs: 30  # default"));
}

TEST_F(OptionsTest, File_UnknownKeyAndBadYamlAreErrors) {
  EXPECT_THAT(Resolve({"--config=" + WriteFile("http_prot: 1\n")}).status().message(),
              HasSubstr("http-prot"));
  EXPECT_FALSE(Resolve({"--config=" + WriteFile("a: [1\n")}).ok());
  EXPECT_FALSE(Resolve({"--config=" + WriteFile("- 1\n")}).ok());
  EXPECT_FALSE(Resolve({"--config=/nonexistent/file.yaml"}).ok());
}

TEST_F(OptionsTest, TritonFlags_WithoutEffectAreWarnedAboutByName) {
  const auto resolved = Resolve({"--grpc-infer-thread-count=4"});
  ASSERT_TRUE(resolved.ok()) << resolved.status().ToString();
  ASSERT_EQ(resolved->warnings.size(), 1u);
  EXPECT_THAT(resolved->warnings[0], HasSubstr("--grpc-infer-thread-count"));
}

TEST_F(OptionsTest, BackendConfig_CollectsKeysByBackend) {
  const auto resolved =
      Resolve({"--backend-config=onnxruntime,intra_op_thread_count=2", "--backend-config=,a=b=c"});
  ASSERT_TRUE(resolved.ok()) << resolved.status().ToString();
  EXPECT_EQ(resolved->config.backend_config.at("onnxruntime").at("intra_op_thread_count"), "2");
  EXPECT_EQ(resolved->config.backend_config.at("").at("a"), "b=c");
}

TEST_F(OptionsTest, Reference_NamesEveryOption) {
  const std::string reference = OptionsReference();
  for (const Option& option : ServerOptions()) {
    EXPECT_THAT(reference, HasSubstr(std::string(option.name)));
  }
}

TEST_F(OptionsTest, Table_DefaultsReadBackAsTheyPrint) {
  const ServerConfig defaults;
  for (const Option& option : ServerOptions()) {
    if (option.kind == OptionKind::kNotActedOn || option.kind == OptionKind::kList) {
      continue;
    }
    ServerConfig config;
    EXPECT_TRUE(option.set(config, option.get(defaults)).ok()) << option.name;
    EXPECT_EQ(option.get(config), option.get(defaults)) << option.name;
  }
}

}  // namespace
}  // namespace headrace::server
