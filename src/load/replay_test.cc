#include "load/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Recording Parse(std::string_view text, const std::string& path = "r.txt") {
  auto recording = ParseRecording(text, path);
  EXPECT_TRUE(recording.ok()) << recording.status().ToString();
  return recording.ok() ? *std::move(recording) : Recording();
}

std::string Failure(std::string_view text, const std::string& path = "r.txt") {
  const auto recording = ParseRecording(text, path);
  EXPECT_FALSE(recording.ok()) << text;
  return recording.status().message();
}

TEST(ReplayTest, Gaps) {
  const Recording recording = Parse("100\n200.5\r\n\n# pause\n0\n");
  EXPECT_TRUE(recording.gaps);
  EXPECT_THAT(recording.offsets, ElementsAre(100'000, 300'500, 300'500));
  EXPECT_THAT(Failure("100\nx\n"), HasSubstr("r.txt:2: 'x' is no number of microseconds"));
  EXPECT_THAT(Failure("-1\n"), HasSubstr("r.txt:1"));
  EXPECT_THAT(Failure("0\n0\n"), HasSubstr("no gap above 0"));
  EXPECT_THAT(Failure(" \n"), HasSubstr("is empty"));
  EXPECT_THAT(Failure("nan\n"), HasSubstr("r.txt:1"));
}

TEST(ReplayTest, Tables_AreSortedAndCountFromTheFirst) {
  const Recording recording =
      Parse("seconds,model,item\n1700000000.5,a\n1700000000.25,b,large, or so\n1700000001,a,\n");
  EXPECT_FALSE(recording.gaps);
  EXPECT_THAT(recording.offsets, ElementsAre(0, 250 * kMillisecond, 750 * kMillisecond));
  EXPECT_THAT(recording.names, ElementsAre("large, or so", "a", "a"));
  EXPECT_THAT(Parse("0.5\n1\n", "r.csv").offsets, ElementsAre(0, 500 * kMillisecond));
  EXPECT_THAT(Parse("0.5\n1\n", "r.csv").names, IsEmpty());
  EXPECT_THAT(Failure("1,a\nx,b\n"), HasSubstr("r.txt:2: 'x' is no number of seconds"));
  EXPECT_THAT(Failure("seconds,model\n"), HasSubstr("no requests"));
}

TEST(ReplayTest, ProfileExport) {
  const Recording recording = Parse(
      R"({"experiments":[{"requests":[{"timestamp":2000,"response_timestamps":[1]},{"timestamp":1500}]},
          {"requests":[{"timestamp":9000}]}],"version":"1"})");
  EXPECT_THAT(recording.offsets, ElementsAre(0, 500, 7500));
  EXPECT_THAT(Failure(R"({"experiments":[]})"), HasSubstr("has no requests"));
  EXPECT_THAT(Failure(R"({"experiments":[{"requests":[{}]}]})"), HasSubstr("request 0"));
}

TEST(ReplayTest, FixedSchedule_CountsFromTheStart) {
  const Recording recording =
      Parse(R"({"data":[{"timestamp":[1000],"A":[1]},{"timestamp":2000.5}]})");
  EXPECT_THAT(recording.offsets, ElementsAre(kSecond, 2'000'500'000));
  EXPECT_THAT(Failure(R"({"data":[{"timestamp":[1]},{"A":[1]}]})"), HasSubstr("data[1]"));
  EXPECT_THAT(Failure(R"({"data":[{"timestamp":[1,2]}]})"), HasSubstr("data[0]"));
  EXPECT_THAT(Failure("{\"other\":[]}"), HasSubstr("is no recording"));
  EXPECT_THAT(Failure("{\"other\":"), HasSubstr("r.txt:1:"));
}

TEST(ReplayTest, TritonsTrace_TakesRequestsOfClients) {
  const Recording recording = Parse(R"([
      {"id":1,"model_name":"ensemble","model_version":1},
      {"id":1,"timestamps":[{"name":"HTTP_RECV_START","ns":5000},{"name":"HTTP_RECV_END","ns":6000}]},
      {"id":1,"timestamps":[{"name":"REQUEST_START","ns":7000}]},
      {"id":2,"model_name":"part","model_version":1,"parent_id":1},
      {"id":2,"timestamps":[{"name":"REQUEST_START","ns":7500}]},
      {"id":3,"model_name":"grpc","model_version":1},
      {"id":3,"timestamps":[{"name":"GRPC_WAITREAD_START","ns":10},{"name":"GRPC_WAITREAD_END","ns":4000}]},
      {"id":4,"model_name":"library"},
      {"id":4,"timestamps":[{"name":"REQUEST_START","ns":9000}]}])");
  EXPECT_THAT(recording.offsets, ElementsAre(0, 1000, 5000));
  EXPECT_THAT(recording.names, ElementsAre("grpc", "ensemble", "library"));
  EXPECT_THAT(Failure("[]"), HasSubstr("no request with timestamps"));
  EXPECT_THAT(Failure("[{}]"), HasSubstr("no \"id\""));
}

class ApplyTest : public ::testing::Test {
 protected:
  ApplyTest() {
    workload_.items.resize(2);
    workload_.items[0].name = workload_.items[0].model = "a";
    workload_.items[1].name = "large";
    workload_.items[1].model = "b";
  }
  Workload workload_;
  ArrivalSpec arrivals_;
};

TEST_F(ApplyTest, NamesBecomeItems) {
  const Recording recording = Parse("0,b\n1,a\n3,x,large\n");
  EXPECT_TRUE(ApplyNames(recording, workload_).ok());
  ApplyTimes(recording, false, arrivals_);
  EXPECT_EQ(arrivals_.kind, ArrivalSpec::Kind::kSchedule);
  EXPECT_THAT(arrivals_.intervals, ElementsAre(0, kSecond, 3 * kSecond));
  EXPECT_THAT(workload_.order, ElementsAre(1, 0, 1));
  EXPECT_THAT(ApplyNames(Parse("0,a\n1,c\n"), workload_).message(),
              HasSubstr("request 1 of the recording is of 'c'"));
}

TEST_F(ApplyTest, LoopsHaveAMeanGapBetweenRounds) {
  const Recording recording = Parse("0\n1\n3\n", "r.csv");
  EXPECT_TRUE(ApplyNames(recording, workload_).ok());
  EXPECT_THAT(workload_.order, IsEmpty());
  ApplyTimes(recording, true, arrivals_);
  EXPECT_EQ(arrivals_.kind, ArrivalSpec::Kind::kReplay);
  EXPECT_THAT(arrivals_.intervals, ElementsAre(1'500'000'000, kSecond, 2 * kSecond));
  ApplyTimes(Parse("10\n30\n"), false, arrivals_);
  EXPECT_THAT(arrivals_.intervals, ElementsAre(10'000, 30'000));
}

}  // namespace
}  // namespace headrace::load
