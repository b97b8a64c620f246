// Repositories as namespaces: names in several of them, and what ensembles mean by a name.
#include "repository/namespaces.h"

#include <gmock/gmock.h>

#include "engine/ensemble.h"
#include "repository/testing/manager_fixture.h"

namespace headrace::repository {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Two repositories, a/ and b/.
class NamespacesTest : public ModelManagerTest {
 protected:
  NamespacesTest() {
    files_.Directory("a");
    files_.Directory("b");
    options_.repository_paths = {files_.path("a"), files_.path("b")};
    options_.namespaces = true;
    options_.poll_interval = 0;
  }
  std::string Key(const std::string& repository, const std::string& name) const {
    return files_.path(repository) + "::" + name;
  }
  // One step, on model `part`.
  void Ensemble(const std::string& path, const std::string& part,
                const std::string& name_space = "") {
    files_.Model(path, R"(platform: "ensemble" max_batch_size: 8
        input { name: "X" data_type: TYPE_FP32 dims: 1 }
        output { name: "Y" data_type: TYPE_FP32 dims: 1 } ensemble_scheduling { step {
        input_map { key: "X" value: "X" } output_map { key: "Y" value: "Y" }
        model_version: -1 model_name: ")" +
                           part + "\" model_namespace: \"" + name_space + "\" } }");
  }
  // The key of the model that the ensemble runs; empty if it does not serve.
  std::string PartOf(const std::string& ensemble) {
    const engine::ModelHandle model = Find(ensemble);
    return model == nullptr ? "" : model->options().ensemble->plan().steps[0].model;
  }
  // "<last part of the namespace>::<name>=<state>" for each entry of the index.
  std::vector<std::string> Lines(const std::vector<IndexEntry>& entries) {
    std::vector<std::string> lines;
    for (const IndexEntry& entry : entries) {
      lines.push_back(std::string(engine::ShortNamespace(entry.name_space)) + "::" + entry.name +
                      "=" + entry.state);
    }
    return lines;
  }
  std::vector<std::string> Lines() { return Lines(manager_->Index(false)); }
  Status Failure(const std::string& name) {
    return registry_.Load()->Lookup(name, std::nullopt).status();
  }
};

TEST_F(NamespacesTest, ModelsOfOneName_ServeSideBySide) {
  files_.Model("a/m", kConfig);
  files_.Model("b/m", kConfig);
  files_.Model("b/only", kConfig);
  Start(ControlMode::kNone);
  EXPECT_TRUE(manager_->AllLoaded());
  EXPECT_THAT(Lines(), ElementsAre("a::m=READY", "b::m=READY", "b::only=READY"));
  ASSERT_NE(Find(Key("a", "m")), nullptr);
  EXPECT_EQ(Find(Key("a", "m"))->name_space(), files_.path("a"));
  EXPECT_EQ(Find("b::m"), Find(Key("b", "m")));
  EXPECT_EQ(Find("b::m")->name(), "m");
  EXPECT_TRUE(Infer("a::m").ok());
  EXPECT_TRUE(Infer("only").ok());
  EXPECT_EQ(Failure("m").code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(Failure("m").message(),
              AllOf(HasSubstr("There are 2 identifiers of model 'm'"),
                    HasSubstr("ask for '<model repository>::m', or unload the others")));
  EXPECT_EQ(Failure("none").code(), StatusCode::kNotFound);
  EXPECT_THAT(Lines(manager_->IndexOf("b", false).value()),
              ElementsAre("b::m=READY", "b::only=READY"));
  EXPECT_THAT(manager_->IndexOf("c", false).status().message(),
              HasSubstr("there is no model repository 'c'"));
}

TEST_F(NamespacesTest, WithoutThem_ADuplicateIsAFault) {
  options_.namespaces = false;
  files_.Model("a/m", kConfig);
  files_.Model("b/m", kConfig);
  Start(ControlMode::kNone);
  EXPECT_EQ(ReasonOf("m"), "model appears in two or more repositories");
  EXPECT_FALSE(manager_->IndexOf("a", false).ok());
}

TEST_F(NamespacesTest, ANameAlone_LoadsAndUnloadsAllOfThem) {
  files_.Model("a/m", kConfig);
  files_.Model("b/m", kConfig);
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Lines(), ElementsAre("a::m=", "b::m="));
  ASSERT_TRUE(Load("m").ok());
  EXPECT_THAT(Lines(), ElementsAre("a::m=READY", "b::m=READY"));
  ASSERT_TRUE(Unload("m").ok());
  EXPECT_THAT(manager_->Index(true), IsEmpty());
  EXPECT_THAT(Load("nobody").message(), HasSubstr("failed to load"));
}

TEST_F(NamespacesTest, OneThatIsUnloaded_LeavesTheNameToTheOther) {
  files_.Model("a/m", kConfig);
  files_.Model("b/m", kConfig);
  Start(ControlMode::kExplicit, {"m"});
  const engine::ModelHandle of_b = Find("b::m");
  ASSERT_TRUE(Unload("a::m").ok());
  EXPECT_EQ(Find("m"), of_b) << "at once";
  EXPECT_TRUE(Infer("m").ok());
  ASSERT_TRUE(Load(Key("a", "m")).ok());
  EXPECT_EQ(Find("m"), nullptr);
  EXPECT_EQ(Find("b::m"), of_b) << "left alone";
  EXPECT_THAT(Load("c::m").message(), HasSubstr("there is no model repository 'c'"));
  EXPECT_THAT(Unload("a::b/../m").message(), HasSubstr("invalid model name"));
}

TEST_F(NamespacesTest, AFailureInOne_IsReported_AndTheOtherServes) {
  files_.Model("a/m", kConfig);
  files_.Model("b/m", R"(backend: "missing")");
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Load("m").message(), HasSubstr("load failed for model '" + Key("b", "m") + "'"));
  EXPECT_NE(Find("a::m"), nullptr);
  EXPECT_EQ(Failure("m").code(), StatusCode::kInvalidArgument)
      << "the one that failed is wanted: requests must not wander between two models";
}

TEST_F(NamespacesTest, FilesOfARequest_AreForOneModel) {
  files_.Model("a/m", kConfig);
  files_.Model("b/m", kConfig);
  Start(ControlMode::kExplicit);
  const LoadOverride files = {R"({"backend":"fake","max_batch_size":8,
      "input":[{"name":"X","data_type":"TYPE_FP32","dims":[1]}],
      "output":[{"name":"Y","data_type":"TYPE_FP32","dims":[1]}]})",
                              {{"1/model.bin", "x"}}};
  EXPECT_THAT(Load("m", files).message(), HasSubstr("there are 2 called 'm'"));
  ASSERT_TRUE(Load("b::m", files).ok());
  EXPECT_EQ(Find("m")->name_space(), files_.path("b"));
  ASSERT_TRUE(Load("new", files).ok());
  EXPECT_EQ(Find("new")->name_space(), files_.path("a")) << "the first repository";
}

TEST_F(NamespacesTest, Ensembles_TakeTheirOwnModel_ThenTheOnlyOne) {
  for (const std::string repository : {"a", "b"}) {
    files_.Model(repository + "/m", kConfig);
    Ensemble(repository + "/own", "m");
  }
  files_.Model("b/only", kConfig);
  Ensemble("a/other", "only");
  Ensemble("a/picked", "m", "b");
  Start(ControlMode::kNone);
  EXPECT_TRUE(manager_->AllLoaded());
  EXPECT_EQ(PartOf("a::own"), Key("a", "m"));
  EXPECT_EQ(PartOf("b::own"), Key("b", "m"));
  EXPECT_EQ(PartOf("other"), Key("b", "only"));
  EXPECT_EQ(PartOf("picked"), Key("b", "m"));
  EXPECT_THAT(Find("picked")->config_json(),
              HasSubstr("\"model_namespace\":\"" + files_.path("b") + "\""));
}

TEST_F(NamespacesTest, EnsemblesSayWhatTheyCannotTell) {
  files_.Directory("c");
  options_.repository_paths.push_back(files_.path("c"));
  files_.Model("b/m", kConfig);
  files_.Model("c/m", kConfig);
  Ensemble("a/ambiguous", "m");
  Ensemble("a/missing", "nobody");
  Ensemble("a/misnamed", "m", "nowhere");
  Start(ControlMode::kNone);
  EXPECT_THAT(ReasonOf("ambiguous"),
              HasSubstr("contains models that are not available or ambiguous: m"));
  EXPECT_THAT(ReasonOf("missing"),
              HasSubstr("contains models that are not available or ambiguous: nobody"));
  EXPECT_THAT(ReasonOf("misnamed"),
              HasSubstr("field 'model_namespace' of the step with model 'm': there is no model "
                        "repository 'nowhere'"));
}

TEST_F(NamespacesTest, AnEnsemble_ComesWhenItsModelDoes_AndFollowsItAlone) {
  Ensemble("a/e", "m");
  Start(ControlMode::kExplicit);
  EXPECT_FALSE(Load("e").ok());
  files_.Model("b/m", kConfig);
  ASSERT_TRUE(Load("m").ok());
  EXPECT_EQ(PartOf("e"), Key("b", "m"));
  files_.Model("a/m", kConfig);
  ASSERT_TRUE(Load("a::m").ok());
  EXPECT_EQ(PartOf("e"), Key("b", "m")) << "as it was loaded";
  ASSERT_TRUE(Unload("a::m").ok());
  EXPECT_NE(Find("e"), nullptr);
  ASSERT_TRUE(Unload("b::m").ok());
  EXPECT_EQ(Find("e"), nullptr);
  ASSERT_TRUE(Load("e").ok());
  EXPECT_EQ(PartOf("e"), Key("a", "m")) << "its own comes first";
}

TEST_F(NamespacesTest, UnloadDependents_TakesTheModelsOfItsOwnNamespace) {
  for (const std::string repository : {"a", "b"}) {
    files_.Model(repository + "/m", kConfig);
    Ensemble(repository + "/e", "m");
  }
  Start(ControlMode::kExplicit, {"e"});
  EXPECT_THAT(manager_->Index(true), SizeIs(4));
  ASSERT_TRUE(Unload("a::e", true).ok());
  EXPECT_THAT(Lines(manager_->Index(true)), ElementsAre("b::e=READY", "b::m=READY"));
}

TEST_F(NamespacesTest, Polling_FollowsEachNamespace) {
  files_.Model("a/m", kConfig);
  Start(ControlMode::kPoll);
  const engine::ModelHandle of_a = Find("m");
  files_.Model("b/m", kConfig);
  ASSERT_TRUE(manager_->PollOnce(true).ok());
  EXPECT_NE(Find("b::m"), nullptr);
  EXPECT_EQ(Find("a::m"), of_a);
  files_.File("b/m/1/model.bin", "x");
  const engine::ModelHandle of_b = Find("b::m");
  ASSERT_TRUE(manager_->PollOnce(true).ok());
  EXPECT_NE(Find("b::m"), of_b);
  EXPECT_EQ(Find("a::m"), of_a);
  std::filesystem::remove_all(files_.path("b/m"));
  ASSERT_TRUE(manager_->PollOnce(true).ok());
  EXPECT_EQ(Find("m"), of_a);
}

TEST(NamespacesTest_Names, APathOrItsLastPart_NamesARepository) {
  RepositoryList list({"/one/models", "/two/models", "/three/x"});
  list.given = {"/one/models", "../two/models/", "x"};
  const Repositories repositories(std::move(list));
  engine::Registry registry;
  VersionBoard board(registry, kSecond);
  const Namespaces namespaces(repositories, board);
  EXPECT_EQ(namespaces.Find("/two/models").value(), "/two/models");
  EXPECT_EQ(namespaces.Find("../two/models/").value(), "/two/models");
  EXPECT_EQ(namespaces.Find("x").value(), "/three/x");
  EXPECT_THAT(namespaces.Find("models").status().message(),
              HasSubstr("more than one model repository 'models'"));
  EXPECT_FALSE(namespaces.Find("").ok());
}

}  // namespace
}  // namespace headrace::repository
