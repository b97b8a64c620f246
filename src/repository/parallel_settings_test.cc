#include "repository/parallel_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ParallelSettingsTest, Read_TakesWhatTorchrunWouldStart) {
  const ParallelSettings settings = ReadParallelSettings(
      R"({"parallelType":"tp","parallelLevel":8,"torchrun":{"nnodes":2,"nproc-per-node":4,)"
      R"("rdzv-backend":"c10d","rdzv-endpoint":"host:1","OMP_NUMBER_THREADS":3}})");
  EXPECT_EQ(settings.type, "tp");
  EXPECT_EQ(settings.level, 4);
  EXPECT_EQ(settings.rank_count, 4);
  EXPECT_EQ(settings.rank_thread_count, 3);
  EXPECT_EQ(settings.gpus_per_worker, 4);
  EXPECT_THAT(settings.warnings, ElementsAre(HasSubstr("'torchrun.nnodes' is ignored"),
                                             HasSubstr("'torchrun.rdzv-endpoint' has no effect")));
}

TEST(ParallelSettingsTest, Read_LeavesDevicesToTheHandlerIfItIsToldSo) {
  const ParallelSettings settings =
      ReadParallelSettings(R"({"parallelType":"custom","parallelLevel":2})");
  EXPECT_EQ(settings.type, "custom");
  EXPECT_EQ(settings.level, 2);
  EXPECT_EQ(settings.rank_count, 1);
  EXPECT_EQ(settings.gpus_per_worker, 2);
  EXPECT_THAT(settings.warnings, IsEmpty());
  EXPECT_EQ(ReadParallelSettings("").level, 0);
  EXPECT_EQ(ReadParallelSettings("").rank_count, 1);
}

TEST(ParallelSettingsTest, Read_WarnsOfWhatItIgnores) {
  const auto warnings = [](std::string_view json) { return ReadParallelSettings(json).warnings; };
  EXPECT_THAT(warnings(R"({"torchrun":{"nproc-per-node":2}})"),
              ElementsAre(HasSubstr("'torchrun' is ignored")));
  EXPECT_THAT(warnings(R"({"parallelType":"pp","torchrun":{"nproc-per-node":0}})"),
              ElementsAre(HasSubstr("from 1 to 256")));
  EXPECT_THAT(warnings(R"({"parallelType":"up"})"), ElementsAre(HasSubstr("pp, tp, pptp")));
  EXPECT_EQ(ReadParallelSettings(R"({"parallelType":"up"})").type, "");
  EXPECT_THAT(warnings(R"({"parallelType":"pp","torchrun":2})"),
              ElementsAre(HasSubstr("'torchrun' is ignored: it must be a map")));
  EXPECT_THAT(warnings(R"({"parallelLevel":"all"})"), ElementsAre(HasSubstr("'parallelLevel'")));
  EXPECT_THAT(
      warnings(R"({"parallelType":"tp","torchrun":{"nproc-per-node":2},"asyncCommunication":true,)"
               R"("forkWorkers":true})"),
      ElementsAre(HasSubstr("asyncCommunication"), HasSubstr("forkWorkers")));
}

TEST(ParallelSettingsTest, FirstOfGroups_LeavesNoGroupShort) {
  EXPECT_THAT(FirstOfGroups({0, 1, 2, 3, 4}, 2), ElementsAre(0, 2));
  EXPECT_THAT(FirstOfGroups({3, 5}, 1), ElementsAre(3, 5));
  EXPECT_THAT(FirstOfGroups({3, 5}, 3), ElementsAre(3, 5));
}

}  // namespace
}  // namespace headrace::repository
