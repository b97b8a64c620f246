#include "profiling/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>

namespace headrace::profiling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

RecordedBatch BatchOf(std::int64_t size, Nanos queued, Nanos started, Nanos ended) {
  RecordedBatch batch{.instance = "m_0",
                      .thread_id = 7,
                      .formed = started,
                      .started = started,
                      .ended = ended,
                      .batch_size = size,
                      .requests = {}};
  for (std::int64_t i = 0; i < size; ++i) {
    batch.requests.push_back({.received = queued, .queued = queued, .batch_size = 1});
  }
  return batch;
}

Profile Quiet() {
  Profile profile;
  profile.model = "m";
  profile.version = 1;
  profile.ended = kSecond;
  profile.core_count = 2;
  profile.instance_count = 1;
  profile.batches.batches = {BatchOf(1, 0, kMillisecond, 5 * kMillisecond)};
  profile.batches.request_count = 1;
  return profile;
}

std::vector<std::string> Topics(const Profile& profile) {
  std::vector<std::string> topics;
  for (const Advice& advice : AdviceOn(profile)) {
    topics.push_back(advice.topic);
  }
  return topics;
}

TEST(ProfileOptionsTest, Parse_TakesDefaults_FromAnEmptyBody) {
  const auto options = ProfileOptions::Parse(" \n");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->duration, 5 * kSecond);
  EXPECT_TRUE(options->operators);
}

TEST(ProfileOptionsTest, Parse_ReadsEachField) {
  const auto options = ProfileOptions::Parse(
      R"({"seconds": 0.25, "requests": 10, "operators": false, "shapes": true,
          "memory": true, "stack": true, "cpu_samples": true})");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->duration, 250 * kMillisecond);
  EXPECT_EQ(options->request_count, 10u);
  EXPECT_FALSE(options->operators);
  EXPECT_TRUE(options->shapes);
  EXPECT_TRUE(options->memory);
  EXPECT_TRUE(options->stack);
  EXPECT_TRUE(options->cpu_samples);
  EXPECT_FALSE(ProfileOptions::Parse("{}")->cpu_samples);
}

TEST(ProfileOptionsTest, Parse_NamesTheField_ThatDoesNotRead) {
  const auto refusal = [](const char* body) {
    return ProfileOptions::Parse(body).status().message();
  };
  EXPECT_THAT(refusal("[1]"), HasSubstr("JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("JSON object"));
  EXPECT_THAT(refusal(R"({"seconds": 0})"), HasSubstr("'seconds'"));
  EXPECT_THAT(refusal(R"({"seconds": 601})"), HasSubstr("at most 600"));
  EXPECT_THAT(refusal(R"({"seconds": "5"})"), HasSubstr("'seconds'"));
  EXPECT_THAT(refusal(R"({"requests": -1})"), HasSubstr("'requests'"));
  EXPECT_THAT(refusal(R"({"shapes": 1})"), HasSubstr("'shapes'"));
  EXPECT_THAT(refusal(R"({"memory": "all"})"), HasSubstr("'memory'"));
  EXPECT_THAT(refusal(R"({"cpu_samples": 1000})"), HasSubstr("'cpu_samples' is true or false"));
  EXPECT_THAT(refusal(R"({"stacks": true})"), HasSubstr("unknown field 'stacks'"));
}

TEST(OperatorRecordTest, Read_RefusesWhatIsNoRecord) {
  EXPECT_FALSE(ReadOperatorRecord("").ok());
  EXPECT_FALSE(ReadOperatorRecord("[]").ok());
  EXPECT_THAT(ReadOperatorRecord(R"({"events": 1, "totals": []})").status().message(),
              HasSubstr("'events'"));
}

TEST(OperatorRecordTest, Table_TakesNestedTimeOffTheOuterOperator) {
  const auto record = ReadOperatorRecord(R"({"runtime": "r 1", "events": [
      {"name": "inner", "kind": "", "start_ns": 20, "duration_ns": 30, "thread": 1},
      {"name": "outer", "kind": "", "start_ns": 10, "duration_ns": 100, "thread": 1},
      {"name": "inner", "kind": "", "start_ns": 60, "duration_ns": 10, "thread": 1},
      {"name": "outer", "kind": "", "start_ns": 10, "duration_ns": 5, "thread": 2}],
      "totals": []})");
  ASSERT_TRUE(record.ok());
  const auto table = OperatorTable(*record);
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[0].name, "outer");
  EXPECT_EQ(table[0].count, 2u);
  EXPECT_EQ(table[0].total, 105);
  EXPECT_EQ(table[0].self, 65);
  EXPECT_EQ(table[1].self, 40);
}

TEST(OperatorRecordTest, Table_HasSumsOfRuntimesWithoutATimeline) {
  const auto record = ReadOperatorRecord(R"({"events": [], "totals": [
      {"name": "conv1", "kind": "Convolution", "count": 4, "duration_ns": 400, "detail": "jit"}]})");
  ASSERT_TRUE(record.ok());
  const auto table = OperatorTable(*record);
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table[0].detail, "jit");
  EXPECT_EQ(table[0].self, 400);
}

TEST(OperatorRecordTest, Read_TakesMemoryAndStacks) {
  const auto record = ReadOperatorRecord(R"({"memory_note": "allocated", "events": [
      {"name": "a", "start_ns": 10, "duration_ns": 30, "thread": 1, "bytes": 4, "stack": 1},
      {"name": "b", "start_ns": 50, "duration_ns": 30, "thread": 1, "stack": 9}],
      "totals": [], "stacks": ["x", "m.py(1): f;m.py(2): g"],
      "memory": [{"time_ns": 60, "thread": 1, "bytes": -8, "device": true},
                 {"time_ns": 20, "thread": 1, "bytes": 8}]})");
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->memory_note, "allocated");
  EXPECT_EQ(record->events[0].stack, "m.py(1): f;m.py(2): g");
  EXPECT_EQ(record->events[1].stack, "");
  ASSERT_EQ(record->memory.size(), 2u);
  EXPECT_EQ(record->memory[0].byte_size, 8);
  EXPECT_TRUE(record->memory[1].on_device);
  EXPECT_EQ(OperatorTable(*record)[0].byte_size, 12u);
}

TEST(OperatorRecordTest, Table_HoldsWhatIsKnown_AgainstTheCeiling) {
  const auto record = ReadOperatorRecord(R"({"threads": 3, "work_note": "why", "events": [
      {"name": "conv", "start_ns": 0, "duration_ns": 1000, "thread": 1, "flops": 500,
       "moved_bytes": 10},
      {"name": "conv", "start_ns": 2000, "duration_ns": 3000, "thread": 1, "flops": 500},
      {"name": "conv", "start_ns": 9000, "duration_ns": 5000, "thread": 1},
      {"name": "relu", "start_ns": 20000, "duration_ns": 10, "thread": 1, "moved_bytes": 200},
      {"name": "view", "start_ns": 30000, "duration_ns": 7, "thread": 1},
      {"name": "kernel", "start_ns": 0, "duration_ns": 9, "thread": 1, "flops": 9, "device": true}],
      "totals": [{"name": "fc", "kind": "FullyConnected", "count": 3, "duration_ns": 900,
                  "flops": 400, "moved_bytes": 8, "worked_count": 2, "worked_ns": 800}]})");
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->threads, 3);
  EXPECT_TRUE(record->HasWork());
  const MachineCeiling ceiling{.flops_per_s = 1e9, .bytes_per_s = 1e10};
  std::map<std::string, OperatorLine> lines;
  for (const OperatorLine& line : OperatorTable(*record, &ceiling)) {
    lines[line.name] = line;
  }
  EXPECT_EQ(lines["conv"].count, 3u);
  EXPECT_EQ(lines["conv"].worked_count, 2u);
  EXPECT_EQ(lines["conv"].flops, 1000u);
  EXPECT_EQ(lines["conv"].moved_byte_size, 10u);
  EXPECT_DOUBLE_EQ(lines["conv"].roofline, 1000. / 4000);
  EXPECT_FALSE(lines["conv"].memory_bound);
  EXPECT_DOUBLE_EQ(lines["relu"].roofline, 2);  // out of a cache: above the ceiling, and shown
  EXPECT_TRUE(lines["relu"].memory_bound);
  EXPECT_DOUBLE_EQ(lines["view"].roofline, 0);
  EXPECT_DOUBLE_EQ(lines["fc"].roofline, 0.5);
  EXPECT_EQ(lines["kernel"].flops, 9u);
  EXPECT_DOUBLE_EQ(lines["kernel"].roofline, 0);  // the ceiling is not its processor's
  EXPECT_DOUBLE_EQ(OperatorTable(*record)[0].roofline, 0);
}

TEST(OperatorRecordTest, Shares_TellShortOperatorsAndCopies) {
  OperatorRecord record;
  record.events = {{.name = "aten::copy_", .start = 0, .duration = 5 * kMicrosecond, .thread = 1},
                   {.name = "aten::addmm",
                    .start = 10 * kMicrosecond,
                    .duration = 15 * kMicrosecond,
                    .thread = 1}};
  const OperatorShares shares = SharesOf(record);
  EXPECT_DOUBLE_EQ(shares.short_operators, 0.25);
  EXPECT_DOUBLE_EQ(shares.copies, 0.25);
  EXPECT_DOUBLE_EQ(SharesOf({}).copies, 0);
}

TEST(AdviceTest, SaysNothing_WhereNothingStandsOut) { EXPECT_THAT(Topics(Quiet()), IsEmpty()); }

TEST(AdviceTest, AsksForTraffic_WithoutABatch) {
  Profile profile = Quiet();
  profile.batches = {};
  EXPECT_THAT(Topics(profile), ElementsAre("traffic"));
}

TEST(AdviceTest, NamesThreadsThatWaitForCores) {
  Profile profile = Quiet();
  profile.threads = {{.id = 1, .time = {.name = "a", .ran = 60, .waited = 40}}};
  EXPECT_THAT(Topics(profile), ElementsAre("threads"));
}

TEST(AdviceTest, NamesInstancesThatChangeCores) {
  Profile profile = Quiet();
  profile.threads = {{.id = 7, .time = {.name = "m_0", .ran = 60, .migrations = 500}},
                     {.id = 8, .time = {.name = "other", .ran = 60, .migrations = 9000}}};
  EXPECT_THAT(Topics(profile), ElementsAre("migrations"));
  profile.threads[0].time.migrations = 50;
  EXPECT_THAT(Topics(profile), IsEmpty());
}

TEST(AdviceTest, NamesQueueBatchesAndInstances_UnderLoad) {
  Profile profile = Quiet();
  profile.batch_size_max = 8;
  profile.batches.batches = {BatchOf(1, -kSecond, 500 * kMillisecond, 980 * kMillisecond),
                             BatchOf(1, -kSecond, kSecond, 1500 * kMillisecond)};
  profile.batches.request_count = 2;
  EXPECT_THAT(Topics(profile), ElementsAre("batches", "instances", "queue"));
  // Of two clients, one waits: nothing could be put into its batch.
  for (RecordedBatch& batch : profile.batches.batches) {
    batch.requests[0].queued = batch.started - 500 * kMillisecond;
  }
  EXPECT_THAT(Topics(profile), ElementsAre("instances", "queue"));
}

TEST(AdviceTest, NamesLaunchesAndCopies) {
  Profile profile = Quiet();
  profile.operators.emplace();
  profile.operators->events = {
      {.name = "aten::copy_", .start = 0, .duration = 5 * kMicrosecond, .thread = 1}};
  EXPECT_THAT(Topics(profile), ElementsAre("launch-bound", "copies"));
}

TEST(BatchTableTest, HasALineForEachSize) {
  const auto table =
      BatchTable({BatchOf(2, 0, 10, 20), BatchOf(1, 5, 10, 40), BatchOf(2, 10, 20, 40)});
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[1].batch_size, 2);
  EXPECT_EQ(table[1].count, 2u);
  EXPECT_EQ(table[1].execution_mean, 15);
  EXPECT_EQ(table[1].execution_max, 20);
  EXPECT_EQ(table[1].queue_mean, 10);
}

TEST(ProfileDocumentTest, IsAChromeTrace_WithTablesBesideIt) {
  Profile profile = Quiet();
  profile.operators.emplace();
  profile.operators->runtime = "r";
  profile.operators->events = {{.name = "conv \"1\"",
                                .kind = "Conv",
                                .start = 2 * kMillisecond,
                                .duration = kMillisecond,
                                .thread = 7}};
  profile.operators->memory = {{.at = 2 * kMillisecond, .thread = 7, .byte_size = -(1 << 20)},
                               {.at = 3 * kMillisecond, .thread = 7, .byte_size = 3 << 20}};
  profile.memory.resident = {{.at = 0, .resident_byte_size = 5 << 20}};
  profile.memory.devices = {{.at = 0, .use = {.device_id = 1, .used_byte_size = 9}}};
  simdjson::dom::parser parser;
  const simdjson::padded_string text(ProfileDocument(profile));
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(text).get(document), simdjson::SUCCESS);
  std::vector<std::string> phases;
  std::vector<double> counted;
  const simdjson::dom::array events = document["traceEvents"].get_array().value();
  for (const simdjson::dom::element event : events) {
    phases.emplace_back(event["ph"].get_string().value());
    double mebibytes = 0;
    if (event.at_pointer("/args/MiB").get(mebibytes) == simdjson::SUCCESS) {
      counted.push_back(mebibytes);
    }
  }
  EXPECT_THAT(phases,
              ElementsAre("M", "M", "M", "M", "X", "b", "e", "s", "f", "X", "C", "C", "C", "C"));
  EXPECT_THAT(counted, ElementsAre(0, 3, 5, ::testing::_));  // never below nothing
  EXPECT_EQ(document.at_pointer("/headrace/memory/resident_peak_bytes").get_int64().value(),
            5 << 20);
  EXPECT_EQ(document.at_pointer("/headrace/memory/device_peaks/0/device").get_int64().value(), 1);
  EXPECT_EQ(document.at_pointer("/headrace/operators/table/0/name").get_string().value(),
            "conv \"1\"");
  EXPECT_EQ(document.at_pointer("/headrace/batches/0/batch_size").get_int64().value(), 1);
  EXPECT_EQ(document.at_pointer("/headrace/requests").get_uint64().value(), 1u);
}

TEST(ProfileDocumentTest, HasTheMachine_AndNull_WhereWorkIsNotKnown) {
  Profile profile = Quiet();
  profile.operators.emplace();
  profile.operators->events = {
      {.name = "a", .start = 0, .duration = 1000, .thread = 7, .flops = 500},
      {.name = "b", .start = 5000, .duration = 500, .thread = 7}};
  profile.machine = {.flops_per_s = 1e9, .bytes_per_s = 2e9, .threads = 3, .how = "so"};
  simdjson::dom::parser parser;
  const simdjson::padded_string text(ProfileDocument(profile));
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(text).get(document), simdjson::SUCCESS);
  const auto at = [&](const char* path) { return document.at_pointer(path).value(); };
  EXPECT_DOUBLE_EQ(at("/headrace/machine/gflops").get_double().value(), 1);
  EXPECT_DOUBLE_EQ(at("/headrace/machine/gbytes_per_s").get_double().value(), 2);
  EXPECT_EQ(at("/headrace/machine/threads").get_int64().value(), 3);
  EXPECT_EQ(at("/headrace/machine/how").get_string().value(), "so");
  EXPECT_DOUBLE_EQ(at("/headrace/operators/table/0/roofline_percent").get_double().value(), 50);
  EXPECT_EQ(at("/headrace/operators/table/0/roofline_bound").get_string().value(), "compute");
  EXPECT_TRUE(at("/headrace/operators/table/0/moved_bytes").is_null());
  EXPECT_TRUE(at("/headrace/operators/table/1/flops").is_null());
  EXPECT_TRUE(at("/headrace/operators/table/1/roofline_percent").is_null());
  EXPECT_FALSE(document.at_pointer("/headrace/cpu").error() == simdjson::SUCCESS);
}

TEST(ProfileDocumentTest, SaysWhyNoOperatorIsHeldAgainstTheMachine) {
  Profile profile = Quiet();
  profile.operators.emplace();
  EXPECT_THAT(ProfileDocument(profile), HasSubstr("known of none"));
  profile.operators->work_note = "ask for shapes";
  EXPECT_THAT(ProfileDocument(profile), HasSubstr(R"("roofline_note":"ask for shapes")"));
  EXPECT_THAT(ProfileDocument(profile), ::testing::Not(HasSubstr("machine")));
  profile.operators->events = {{.name = "kernel", .duration = 9, .flops = 9, .on_device = true}};
  EXPECT_TRUE(profile.operators->UsesDevice());
  EXPECT_THAT(ProfileDocument(profile), HasSubstr("uses a GPU"));
}

TEST(ProfileDocumentTest, HasSamplesOfTheProcessor_OrWhyThereAreNone) {
  Profile profile = Quiet();
  profile.cpu = {.period = kMillisecond, .with_kernel = true, .lost = 2};
  profile.cpu->functions = {{.place = {"f", "lib.so"}, .count = 1}};
  profile.cpu->samples = {{.at = 2 * kMillisecond, .thread = 9, .function = 0}};
  profile.cpu->thread_names = {{9, "pool"}};
  simdjson::dom::parser parser;
  const simdjson::padded_string text(ProfileDocument(profile));
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(text).get(document), simdjson::SUCCESS);
  const auto at = [&](const char* path) { return document.at_pointer(path).value(); };
  EXPECT_DOUBLE_EQ(at("/samples/0/ts").get_double().value(), 2000);
  EXPECT_EQ(at("/samples/0/tid").get_int64().value(), 9);
  EXPECT_EQ(at("/stackFrames/0/name").get_string().value(), "f");
  EXPECT_EQ(at("/stackFrames/0/category").get_string().value(), "lib.so");
  EXPECT_EQ(at("/headrace/cpu/lost").get_int64().value(), 2);
  EXPECT_DOUBLE_EQ(at("/headrace/cpu/table/0/self_us").get_double().value(), 1000);
  EXPECT_THAT(ProfileDocument(profile), HasSubstr("thread pool"));
  profile.cpu = {.note = "not allowed"};
  EXPECT_THAT(ProfileDocument(profile), HasSubstr(R"("perf_note":"not allowed")"));
}

TEST(ThreadTimesTest, Use_IsTheDifferenceOfTwoLooks) {
  const std::map<std::int64_t, ThreadTime> before = {{1, {"a", 100, 10, 1}}, {2, {"b", 5, 0, 0}}};
  const std::map<std::int64_t, ThreadTime> after = {
      {1, {"a", 150, 30, 3}}, {2, {"b", 5, 0, 0}}, {3, {"c", 80, 0, 0}}};
  const auto use = ThreadUseBetween(before, after);
  ASSERT_EQ(use.size(), 2u);
  EXPECT_EQ(use[0].id, 3);
  EXPECT_EQ(use[1].time.ran, 50);
  EXPECT_EQ(use[1].time.waited, 20);
  EXPECT_EQ(use[1].time.migrations, 2u);
}

TEST(ThreadTimesTest, Read_FindsThisThread) { EXPECT_FALSE(ReadThreadTimes().empty()); }

TEST(BatchRecorderTest, WaitFor_EndsWithTheNumberOfRequests) {
  BatchRecorder recorder;
  const std::vector<engine::ObservedBatch::Request> requests(3);
  recorder.OnBatch({.instance = "m_0", .requests = requests});
  EXPECT_TRUE(recorder.WaitFor(3, kNever / 2));
  recorder.Stop();
  EXPECT_FALSE(recorder.WaitFor(4, kNever / 2));
  EXPECT_EQ(recorder.Take().request_count, 3u);
}

}  // namespace
}  // namespace headrace::profiling
