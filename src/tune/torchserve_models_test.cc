#include "tune/torchserve_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace headrace::tune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A management API with one model, and all that was asked of it to change that.
class FakeManagement final : public load::TorchServeControl {
 public:
  struct State {
    std::optional<load::TorchServeModel> model{};
    int versions = 1;
    std::optional<int> batch_of_archive;  // wins over registrations
    bool registers = true;
    std::vector<std::string> changes;
  };
  explicit FakeManagement(State& state) : state_(state) {}

  Result<std::string> Ping() override { return std::string("Healthy"); }
  Result<std::string> Version() override { return std::string("0"); }
  Result<std::vector<std::string>> ModelNames() override { return std::vector<std::string>{"m"}; }
  Status Register(const load::TorchServeRegistration& asked) override {
    state_.changes.push_back(fmt::format("register {} as {}: {} x {}, {} ms, {} s", asked.url,
                                         asked.name, asked.workers, asked.batch_size,
                                         asked.batch_delay_ms, asked.response_timeout_s));
    if (!state_.registers) {
      return Unavailable("no memory");
    }
    load::TorchServeModel& model = state_.model.emplace();
    model.name = asked.name;
    model.url = asked.url;
    model.workers_min = model.workers_max = asked.workers;
    model.batch_size = state_.batch_of_archive.value_or(asked.batch_size);
    model.batch_delay_ms = asked.batch_delay_ms;
    model.response_timeout_s = asked.response_timeout_s;
    return OkStatus();
  }
  Status Scale(const std::string&, const std::string&, int workers_min, int workers_max,
               bool) override {
    state_.changes.push_back(fmt::format("scale {}..{}", workers_min, workers_max));
    state_.model->workers_min = workers_min;
    state_.model->workers_max = workers_max;
    return OkStatus();
  }
  Result<std::vector<load::TorchServeModel>> Describe(const std::string&,
                                                      const std::string&) override {
    if (!state_.model) {
      return NotFound("no such model");
    }
    return std::vector<load::TorchServeModel>(static_cast<std::size_t>(state_.versions),
                                              *state_.model);
  }
  Status Unregister(const std::string&, const std::string&) override {
    state_.changes.push_back("unregister");
    state_.model.reset();
    return OkStatus();
  }
  Result<std::string> Metrics() override { return Unimplemented("none"); }

 private:
  State& state_;
};

// The rest of the server, of which the models are not asked much.
class PlainServer final : public load::ServerControl {
 public:
  Result<load::ServerFacts> Server() override { return load::ServerFacts{}; }
  Result<bool> ModelReady(const std::string&, const std::string&) override { return true; }
  Result<load::ModelFacts> Model(const std::string& model, const std::string&) override {
    load::ModelFacts facts;
    facts.name = model;
    return facts;
  }
  Result<std::map<std::string, std::vector<load::ModelStatistics>>> Statistics(
      const std::string&) override {
    return Unimplemented("none");
  }
  Result<std::vector<load::ModelState>> Index() override { return Unimplemented("none"); }
  Status Load(const std::string&, const std::string&) override { return Unimplemented("none"); }
  Status Unload(const std::string&) override { return OkStatus(); }
  Result<std::string> Metrics() override { return Unimplemented("none"); }
};

class TorchServeModelsTest : public testing::Test {
 protected:
  TorchServeModelsTest() {
    load::TorchServeModel& model = state_.model.emplace();
    model.name = "m";
    model.url = "m.mar";
    model.workers_min = 1;
    model.workers_max = 3;
    model.batch_size = 2;
    model.batch_delay_ms = 50;
    model.response_timeout_s = 77;
  }
  // As the tuner does: found, then changed.
  std::string Found() {
    const auto facts = models_.Model("m", "");
    EXPECT_TRUE(facts.ok()) << facts.status().message();
    return facts.ok() ? facts->config_json : "";
  }
  static std::string Config(int workers, int batch, int delay_us) {
    return fmt::format(
        R"({{"max_batch_size":{},"dynamic_batching":{{"max_queue_delay_microseconds":{}}},"instance_group":[{{"count":{}}}]}})",
        batch, delay_us, workers);
  }

  FakeManagement::State state_;
  TorchServeModels models_{std::make_unique<PlainServer>(),
                           std::make_unique<FakeManagement>(state_)};
};

TEST_F(TorchServeModelsTest, ScalesWhereOnlyWorkersChange_AndPutsBothNumbersBack) {
  const std::string found = Found();
  EXPECT_THAT(found, HasSubstr(R"("max_batch_size":2)"));
  ASSERT_TRUE(models_.Load("m", found).ok());
  EXPECT_THAT(state_.changes, IsEmpty());
  ASSERT_TRUE(models_.Load("m", Config(4, 2, 50'000)).ok());
  ASSERT_TRUE(models_.Load("m", "").ok());
  EXPECT_THAT(state_.changes, ElementsAre("scale 4..4", "scale 1..3"));
}

TEST_F(TorchServeModelsTest, RegistersAnewWhereTheBatchChanges_WithWhatTheModelHad) {
  const std::string found = Found();
  ASSERT_TRUE(models_.Load("m", Config(2, 8, 0)).ok());  // a delay of 0 is 1 ms
  EXPECT_THAT(state_.changes, ElementsAre("unregister", "register m.mar as m: 2 x 8, 1 ms, 77 s"));
  state_.changes.clear();
  EXPECT_NE(models_.Model("m", "")->config_json, found);
  ASSERT_TRUE(models_.Load("m", found).ok());
  EXPECT_THAT(state_.changes,
              ElementsAre("unregister", "register m.mar as m: 1 x 2, 50 ms, 77 s", "scale 1..3"));
}

TEST_F(TorchServeModelsTest, BringsBackAModelWhoseRegistrationFailed) {
  Found();
  state_.registers = false;
  EXPECT_THAT(models_.Load("m", Config(1, 8, 1000)).message(), HasSubstr("no memory"));
  EXPECT_FALSE(state_.model);
  state_.registers = true;
  ASSERT_TRUE(models_.Load("m", "").ok());
  ASSERT_TRUE(state_.model);
  EXPECT_EQ(state_.model->batch_size, 2);
  EXPECT_EQ(state_.model->workers_max, 3);
}

TEST_F(TorchServeModelsTest, SaysWhyItCannotChange) {
  Found();
  state_.batch_of_archive = 2;
  EXPECT_THAT(models_.Load("m", Config(1, 8, 1000)).message(),
              HasSubstr("model-config.yaml in m.mar wins"));
  state_.versions = 2;
  EXPECT_THAT(models_.Model("m", "").status().message(), HasSubstr("2 versions"));
}

}  // namespace
}  // namespace headrace::tune
