#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "load/half.h"
#include "load/testing/fake_control.h"
#include "load/testing/scratch_folder.h"
#include "load/workload_spec.h"

namespace headrace::load {
namespace {

using ::testing::ElementsAre;
using testing::FakeControl;
using ::testing::HasSubstr;
using testing::ScratchFolder;

template <typename T>
std::string Packed(std::initializer_list<T> values) {
  std::string out;
  for (const T value : values) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return out;
}

class WorkloadTest : public ::testing::Test {
 protected:
  WorkloadTest() {
    spec_.item.model = "m";
    control_.Add("m", 8,
                 {FakeControl::Batched("A", DataType::kFp32, {2}),
                  FakeControl::Batched("B", DataType::kInt32, {-1})},
                 {FakeControl::Batched("OUT", DataType::kFp32, {2})});
    control_.Add("one", 8, {FakeControl::Batched("A", DataType::kFp32, {2})},
                 {FakeControl::Batched("OUT", DataType::kFp32, {2})});
    control_.Add("text", 8, {FakeControl::Batched("T", DataType::kBytes, {-1})});
    control_.Add("plain", 0, {TensorFacts{"A", DataType::kUint8, {4}, false}});
  }

  Workload Build() {
    auto workload = BuildWorkload(spec_, &control_);
    EXPECT_TRUE(workload.ok()) << workload.status().ToString();
    return workload.ok() ? *std::move(workload) : Workload();
  }
  std::string Failure() {
    const auto workload = BuildWorkload(spec_, &control_);
    EXPECT_FALSE(workload.ok());
    return workload.status().message();
  }
  const std::string& Bytes(const Workload& workload, std::size_t content, std::size_t input = 0) {
    return *workload.items.at(0).contents.at(content).inputs.at(input).bytes;
  }

  ScratchFolder folder_;
  FakeControl control_;
  WorkloadSpec spec_;
};

TEST_F(WorkloadTest, Random_IsTheSameForASeedAndFitsTheModel) {
  spec_.item.shapes["B"] = {3};
  spec_.item.batch_size = 4;
  const Workload first = Build(), second = Build();
  ASSERT_EQ(first.items.size(), 1u);
  ASSERT_EQ(first.items[0].contents.size(), 4u);
  EXPECT_EQ(first.items[0].batch_size, 4);
  const Content& content = first.items[0].contents[0];
  EXPECT_THAT(content.inputs[0].shape, ElementsAre(4, 2));
  EXPECT_THAT(content.inputs[1].shape, ElementsAre(4, 3));
  EXPECT_EQ(content.inputs[0].bytes->size(), 4u * 2 * 4);
  EXPECT_EQ(content.inputs[1].bytes->size(), 4u * 3 * 4);
  EXPECT_EQ(Bytes(first, 0), Bytes(second, 0));
  EXPECT_NE(Bytes(first, 0), Bytes(first, 1));
  spec_.seed = 2;
  EXPECT_NE(Bytes(Build(), 0), Bytes(first, 0));
}

TEST_F(WorkloadTest, EachInputMayHaveASourceOfItsOwn) {
  spec_.item.input_data = {{"A", "zero"}, {"B", "random"}};
  spec_.item.shapes["B"] = {3};
  const Workload workload = Build();
  EXPECT_EQ(workload.items[0].contents.size(), 4u);
  EXPECT_EQ(Bytes(workload, 0, 0), std::string(8, '\0'));
  EXPECT_NE(Bytes(workload, 0, 1), Bytes(workload, 1, 1));
  spec_.item.input_data = {{"B", folder_.Write("b.bin", Packed<std::int32_t>({1, 2, 3}))}};
  spec_.item.data = {"zero"};
  const Workload files = Build();
  EXPECT_EQ(files.items[0].contents.size(), 1u);
  EXPECT_EQ(Bytes(files, 0, 1), Packed<std::int32_t>({1, 2, 3}));
}

TEST_F(WorkloadTest, OpenShape_AsksForTheFlag) {
  EXPECT_THAT(Failure(), HasSubstr("--shape B:N"));
  spec_.item.shapes["B"] = {3, 3};
  EXPECT_THAT(Failure(), HasSubstr("--shape B:3,3: the model 'm' wants [-1]"));
  spec_.item.shapes = {{"X", {1}}};
  EXPECT_THAT(Failure(), HasSubstr("no such input; it has 'A' FP32 [2], 'B' INT32 [-1]"));
}

TEST_F(WorkloadTest, BatchSize_IsCheckedAgainstTheModel) {
  spec_.item.shapes["B"] = {3};
  spec_.item.batch_size = 9;
  EXPECT_THAT(Failure(), HasSubstr("batch size 9 is above the max_batch_size 8"));
  spec_.item.model = "plain";
  spec_.item.shapes.clear();
  spec_.item.batch_size = 2;
  EXPECT_THAT(Failure(), HasSubstr("does not batch"));
  spec_.item.batch_size = 1;
  EXPECT_THAT(Build().items[0].contents[0].inputs[0].shape, ElementsAre(4));
}

TEST_F(WorkloadTest, WithoutConfiguration_OpenFirstDimensionsAreTheBatch) {
  control_.models["one"].config_json.clear();
  control_.models["one"].batch_size_max = 0;
  spec_.item.model = "one";
  spec_.item.batch_size = 3;
  EXPECT_THAT(Build().items[0].contents[0].inputs[0].shape, ElementsAre(3, 2));
  spec_.item.batch_size = 1;
  spec_.item.shapes["A"] = {5, 2};
  EXPECT_THAT(Build().items[0].contents[0].inputs[0].shape, ElementsAre(5, 2));
}

TEST_F(WorkloadTest, Strings_AreRandomOrTheGivenText) {
  spec_.item.model = "text";
  spec_.item.shapes["T"] = {2};
  spec_.item.string_length = 5;
  EXPECT_EQ(Bytes(Build(), 0).size(), 2u * (4 + 5));
  spec_.item.string_data = "hi";
  EXPECT_EQ(Bytes(Build(), 0), std::string("\2\0\0\0hi\2\0\0\0hi", 12));
}

TEST_F(WorkloadTest, Json_AllFormsOfContent) {
  const std::string path = folder_.Write("d.json", R"({"data":[
      {"A":[1,2], "B":[1,2,3]},
      {"A":{"b64":"AACAPwAAAEA="}, "B":{"content":[[1,2],[3,4]],"shape":[4]}},
      {"A":{"content":{"b64":"AACAPwAAAEA="},"shape":[2]}, "B":[7.0]}],
      "validation_data":[{"OUT":[1,2]},{},{"OUT":{"content":[3,4],"shape":[2]}}]})");
  spec_.item.data = {path};
  const Workload workload = Build();
  ASSERT_EQ(workload.items[0].contents.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Bytes(workload, i, 0), Packed<float>({1, 2}));
  }
  EXPECT_EQ(Bytes(workload, 1, 1), Packed<std::int32_t>({1, 2, 3, 4}));
  EXPECT_THAT(workload.items[0].contents[1].inputs[1].shape, ElementsAre(1, 4));
  EXPECT_EQ(Bytes(workload, 2, 1), Packed<std::int32_t>({7}));
  const auto& golden = workload.items[0].contents[0].golden;
  ASSERT_TRUE(golden);
  EXPECT_EQ(*golden->outputs[0].bytes, Packed<float>({1, 2}));
  EXPECT_THAT(golden->outputs[0].shape, ElementsAre(1, 2));
  EXPECT_FALSE(workload.items[0].contents[1].golden);
  spec_.item.compare_answers = false;
  EXPECT_FALSE(Build().items[0].contents[0].golden);
}

TEST_F(WorkloadTest, Json_BatchesTakeTheEntriesInTurn) {
  spec_.item.model = "one";
  spec_.item.data = {folder_.Write("d.json", R"({"data":[{"A":[1,1]},{"A":[2,2]},{"A":[3,3]}],
      "validation_data":[{"OUT":[1,1]},{"OUT":[2,2]},{"OUT":[3,3]}]})")};
  spec_.item.batch_size = 2;
  const Workload workload = Build();
  EXPECT_EQ(Bytes(workload, 0), Packed<float>({1, 1, 2, 2}));
  EXPECT_EQ(Bytes(workload, 2), Packed<float>({3, 3, 1, 1}));
  EXPECT_EQ(*workload.items[0].contents[2].golden->outputs[0].bytes, Packed<float>({3, 3, 1, 1}));
}

TEST_F(WorkloadTest, Json_ListsOfListsAreSequences) {
  control_.models["one"].sequences = true;
  spec_.item.model = "one";
  spec_.item.data = {
      folder_.Write("d.json", R"({"data":[[{"A":[1,1]},{"A":[2,2]}],[{"A":[3,3]}]]})")};
  const Workload workload = Build();
  EXPECT_EQ(workload.items[0].contents.size(), 3u);
  EXPECT_EQ(workload.items[0].sequences.concurrent, 4);
  ASSERT_EQ(workload.items[0].streams.size(), 2u);
  EXPECT_EQ(workload.items[0].streams[0].end, 2u);
  EXPECT_EQ(workload.items[0].streams[1].begin, 2u);
  EXPECT_EQ(workload.items[0].streams[1].end, 3u);
}

TEST_F(WorkloadTest, Json_FaultsNameFileFieldAndRemedy) {
  const auto failure = [&](const char* json) {
    spec_.item.data = {folder_.Write("d.json", json)};
    return Failure();
  };
  EXPECT_THAT(failure("{\"data\":[\n{,}]}"), HasSubstr("d.json:2:2: not JSON"));
  EXPECT_THAT(failure("{}"), HasSubstr("no member \"data\""));
  EXPECT_THAT(failure("[]"), HasSubstr("no member \"data\""));
  EXPECT_THAT(failure(R"({"data":[]})"), HasSubstr("\"data\" is empty"));
  EXPECT_THAT(failure(R"({"data":{}})"), HasSubstr("must be an array"));
  EXPECT_THAT(failure(R"({"data":[5]})"), HasSubstr("data[0]: this is a number"));
  EXPECT_THAT(failure(R"({"data":[{"A":[1,2]}]})"), HasSubstr("data[0]: input 'B' is missing"));
  EXPECT_THAT(failure(R"({"data":[{"A":[1,2],"B":[1],"C":[1]}]})"),
              HasSubstr("data[0].C: the model 'm' has no such input"));
  EXPECT_THAT(failure(R"({"data":[{"A":[1,"x"],"B":[1]}]})"),
              HasSubstr("data[0].A[1]: a string is no FP32"));
  EXPECT_THAT(failure(R"({"data":[{"A":[1,2],"B":[3000000000]}]})"),
              HasSubstr("data[0].B[0]: 3000000000 is out of range for INT32"));
  EXPECT_THAT(failure(R"({"data":[{"A":[1,2,3],"B":[1]}]})"),
              HasSubstr("data[0].A: 3 elements (12 bytes) do not fill the shape [2], which takes 2 "
                        "elements (8 bytes)"));
  EXPECT_THAT(failure(R"({"data":[{"A":{"content":[1,2],"shape":[1,2]},"B":[1]}]})"),
              HasSubstr("the shape [1,2] does not fit [2] (without the batch dimension)"));
  EXPECT_THAT(failure(R"({"data":[{"A":{"b64":"%"},"B":[1]}]})"), HasSubstr("data[0].A.b64"));
  EXPECT_THAT(failure(R"({"data":[{"A":{"b64":"AAAA"},"B":[1]}]})"),
              HasSubstr("3 bytes are no whole number of FP32 elements"));
  EXPECT_THAT(failure(R"({"data":[{"A":{},"B":[1]}]})"), HasSubstr("neither \"content\""));
  EXPECT_THAT(failure(R"({"data":[[{"A":[1,2],"B":[1]}],{"A":[1,2],"B":[1]}]})"),
              HasSubstr("data[1]: an object stands among arrays"));
  EXPECT_THAT(failure(R"({"data":[{"A":[1,2],"B":[1]}],"validation_data":[{},{}]})"),
              HasSubstr("as many entries"));
  EXPECT_THAT(failure(R"({"data":[{"A":[1,2],"B":[1]}],"validation_data":[{"X":[1]}]})"),
              HasSubstr("validation_data[0].X: the model 'm' has no such output"));
  spec_.item.batch_size = 2;
  EXPECT_THAT(failure(R"({"data":[{"A":[1,2],"B":[1]},{"A":[1,2],"B":[1,2]}]})"),
              HasSubstr("make no batch of 2"));
}

TEST_F(WorkloadTest, Directory_HasAFileForEachInput) {
  folder_.Write("in/A", Packed<float>({5, 6}));
  folder_.Write("in/B", Packed<std::int32_t>({7}));
  folder_.Write("in/OUT", Packed<float>({1, 2}));
  spec_.item.data = {folder_.path("in")};
  const Workload workload = Build();
  EXPECT_EQ(Bytes(workload, 0, 0), Packed<float>({5, 6}));
  EXPECT_EQ(*workload.items[0].contents[0].golden->outputs[0].bytes, Packed<float>({1, 2}));
  folder_.Write("less/A", Packed<float>({5, 6}));
  spec_.item.data = {folder_.path("less")};
  EXPECT_THAT(Failure(), HasSubstr("less/B is missing: a directory holds one file for each input"));
  folder_.Write("short/A", "abc");
  spec_.item.data = {folder_.path("short")};
  EXPECT_THAT(Failure(), HasSubstr("short/A (input 'A'): 3 bytes"));
  std::filesystem::create_directory(folder_.path("empty"));
  spec_.item.data = {folder_.path("empty")};
  EXPECT_THAT(Failure(), HasSubstr("empty is an empty directory"));
  spec_.item.data = {folder_.path("nowhere")};
  EXPECT_THAT(Failure(), HasSubstr("there is no such file or directory"));
}

TEST_F(WorkloadTest, TextFile_HasAnElementOnEachLine) {
  spec_.item.model = "text";
  spec_.item.data = {folder_.Write("words.txt", "ab\ncd\r\n")};
  const Workload workload = Build();
  EXPECT_EQ(Bytes(workload, 0), std::string("\2\0\0\0ab\2\0\0\0cd", 12));
  EXPECT_THAT(workload.items[0].contents[0].inputs[0].shape, ElementsAre(1, 2));
}

TEST_F(WorkloadTest, SingleFile_IsTheOnlyInput) {
  spec_.item.data = {folder_.Write("x.bin", Packed<float>({1, 2}))};
  EXPECT_THAT(Failure(), HasSubstr("use NAME=FILE for each"));
  spec_.item.model = "one";
  EXPECT_EQ(Bytes(Build(), 0), Packed<float>({1, 2}));
}

TEST_F(WorkloadTest, GoldenFile_GoesWithTheContentsInOrder) {
  spec_.item.model = "one";
  spec_.item.data = {"zero"};
  spec_.item.golden_file = folder_.Write("g.json", R"({"validation_data":[{"OUT":[0,0]}]})");
  EXPECT_TRUE(Build().items[0].contents[0].golden);
  spec_.item.data = {"random"};
  EXPECT_THAT(Failure(), HasSubstr("has 1 entries, and the data of the requests 4"));
}

TEST_F(WorkloadTest, OptionalInputsMayBeMissing) {
  control_.models["m"].inputs[1].optional = true;
  const Workload workload = Build();
  EXPECT_EQ(workload.items[0].contents[0].inputs.size(), 1u);
}

TEST_F(WorkloadTest, DecoupledModelsNeedStreams) {
  control_.models["one"].decoupled = true;
  spec_.item.model = "one";
  EXPECT_THAT(Failure(), HasSubstr("use -i grpc --streaming"));
  spec_.protocol = Protocol::kV2Grpc;
  Build();
}

TEST_F(WorkloadTest, TooMuchDataIsRefused) {
  spec_.item.model = "one";
  spec_.byte_size_max = 10;
  EXPECT_THAT(Failure(), HasSubstr("larger than 10 bytes"));
}

TEST_F(WorkloadTest, TorchServe_FilesAreBodies) {
  spec_.protocol = Protocol::kTorchServe;
  EXPECT_THAT(Failure(), HasSubstr("give --input-data FILE"));
  folder_.Write("in/a.jpg", "JPEG");
  folder_.Write("in/b.json", R"({"x":1})");
  spec_.item.data = {folder_.path("in")};
  const Workload workload = Build();
  ASSERT_EQ(workload.items[0].contents.size(), 2u);
  EXPECT_EQ(*workload.items[0].contents[0].body, "JPEG");
  EXPECT_EQ(workload.items[0].contents[0].content_type, "image/jpeg");
  EXPECT_EQ(workload.items[0].contents[1].content_type, "application/json");
  EXPECT_EQ(control_.asked, 0);
  spec_.item.content_type = "text/x";
  spec_.item.data = {folder_.Write("list.json", fmt::format(R"({{"data":[{{"TORCHSERVE_INPUT":
      ["{}"]}}]}})",
                                                            folder_.path("in/a.jpg")))};
  const Workload listed = Build();
  EXPECT_EQ(*listed.items[0].contents[0].body, "JPEG");
  EXPECT_EQ(listed.items[0].contents[0].content_type, "text/x");
}

TEST_F(WorkloadTest, V1_MakesInstances) {
  spec_.protocol = Protocol::kV1;
  const auto body = [&](const std::string& path) {
    spec_.item.data = {path};
    return *Build().items[0].contents.at(0).body;
  };
  EXPECT_EQ(body(folder_.Write("a.json", R"({"instances":[1]})")), R"({"instances":[1]})");
  EXPECT_EQ(body(folder_.Write("b.json", "[1,2]")), R"({"instances":[1,2]})");
  spec_.item.batch_size = 2;
  EXPECT_EQ(body(folder_.Write("c.json", R"({"x":1})")), R"({"instances":[{"x":1},{"x":1}]})");
  EXPECT_EQ(body(folder_.Write("d.png", "PNG")),
            R"({"instances":[{"b64":"UE5H"},{"b64":"UE5H"}]})");
  spec_.item.data.clear();
  spec_.item.shapes["x"] = {2, 2};
  EXPECT_THAT(*Build().items[0].contents[0].body, HasSubstr("{\"instances\":[[[0."));
}

TEST_F(WorkloadTest, BodiesHaveExpectedAnswersByName) {
  spec_.protocol = Protocol::kRawHttp;
  spec_.item.model.clear();
  folder_.Write("in/a.txt", "1");
  folder_.Write("in/b.txt", "2");
  folder_.Write("out/a.txt", "one");
  folder_.Write("out/b.txt", "two");
  spec_.item.data = {folder_.path("in")};
  spec_.item.golden_file = folder_.path("out");
  const Workload workload = Build();
  EXPECT_EQ(*workload.items[0].contents[1].golden->body, "two");
}

TEST_F(WorkloadTest, Mix_HasItemsByWeightAndShape) {
  folder_.Write("in/b.bin", Packed<std::int32_t>({1, 2}));
  spec_.mix_file = folder_.Write("mix.yaml", R"(
items:
  - model: m
    weight: 4
    batch_size: 2
    data: zero
    shapes:
      - {B: [2], weight: 3}
      - {B: [7]}
    priority: 2
    timeout_ms: 1.5
    sla_ms: 20
  - {model: one, name: small, sequences: {concurrent: 2, length: 5}, parameters: {k: 1, s: x}}
  - {model: m, inputs: {B: in/b.bin, A: zero}}
)");
  const Workload workload = Build();
  ASSERT_EQ(workload.items.size(), 4u);
  EXPECT_EQ(workload.items[0].name, "m 2");
  EXPECT_EQ(workload.items[0].weight, 12);
  EXPECT_EQ(workload.items[1].weight, 4);
  EXPECT_THAT(workload.items[1].contents[0].inputs[1].shape, ElementsAre(2, 7));
  EXPECT_EQ(workload.items[0].priority, 2u);
  EXPECT_EQ(workload.items[0].timeout_us, 1500u);
  EXPECT_EQ(workload.items[0].sla, 20 * kMillisecond);
  EXPECT_EQ(workload.items[2].name, "small");
  EXPECT_EQ(workload.items[2].sequences.length, 5);
  EXPECT_THAT(workload.items[2].parameters,
              ElementsAre(std::pair("k", "1"), std::pair("s", "\"x\"")));
  EXPECT_EQ(*workload.items[3].contents[0].inputs[1].bytes, Packed<std::int32_t>({1, 2}));
  EXPECT_EQ(control_.asked, 2);  // once for each model
}

TEST_F(WorkloadTest, Mix_FaultsNameTheField) {
  const auto failure = [&](const char* yaml) {
    spec_.mix_file = folder_.Write("mix.yaml", yaml);
    return Failure();
  };
  EXPECT_THAT(failure("- {model: m, wheight: 2}"),
              HasSubstr("items[0].wheight: there is no such field; there are model"));
  EXPECT_THAT(failure("- {model: m, weight: 0}"), HasSubstr("items[0].weight: it must be above 0"));
  EXPECT_THAT(failure("- {model: m, weight: x}"), HasSubstr("items[0].weight: a number"));
  EXPECT_THAT(failure("- {model: m, shapes: {B: 3}}"), HasSubstr("items[0].shapes.B: a number"));
  EXPECT_THAT(failure("- {model: m, sequences: {size: 3}}"), HasSubstr("sequences.size"));
  EXPECT_THAT(failure("a: b"), HasSubstr("a mix is a list of items"));
  EXPECT_THAT(failure("[]"), HasSubstr("the mix is empty"));
  EXPECT_THAT(failure("- {model: m\n"), HasSubstr("mix.yaml: "));
  EXPECT_THAT(failure("- {model: none}\n- {model: one}"), HasSubstr("item 'none': unknown model"));
}

TEST(SpecTextTest, Shapes) {
  ItemSpec item;
  EXPECT_TRUE(AddShape("in:put:3,224,224", item).ok());
  EXPECT_THAT(item.shapes["in:put"], ElementsAre(3, 224, 224));
  for (const char* text : {"", "x", ":3", "x:", "x:3,", "x:,3", "x:-1", "x:a", "x:3x4"}) {
    EXPECT_THAT(AddShape(text, item).message(), HasSubstr("NAME:D,D")) << text;
  }
}

TEST(SpecTextTest, InputDataAndParameters) {
  ItemSpec item;
  AddInputData("random", item);
  AddInputData("A=zero", item);
  EXPECT_THAT(item.data, ElementsAre("random"));
  EXPECT_EQ(item.input_data.at("A"), "zero");
  EXPECT_TRUE(AddParameter("n:5:int", item).ok());
  EXPECT_TRUE(AddParameter("t:a:b:string", item).ok());
  EXPECT_TRUE(AddParameter("k=x y", item).ok());
  EXPECT_TRUE(AddParameter("b=true", item).ok());
  EXPECT_THAT(item.parameters, ElementsAre(std::pair("n", "5"), std::pair("t", "\"a:b\""),
                                           std::pair("k", "\"x y\""), std::pair("b", "true")));
  EXPECT_FALSE(AddParameter("n:x:int", item).ok());
  EXPECT_FALSE(AddParameter("n", item).ok());
}

TEST(HalfTest, RoundTripsAndRounds) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!std::isnan(FromFp16(half))) {
      EXPECT_EQ(ToFp16(FromFp16(half)), half);
    }
    if (!std::isnan(FromBf16(half))) {
      EXPECT_EQ(ToBf16(FromBf16(half)), half);
    }
  }
  EXPECT_EQ(ToFp16(65519.0F), 0x7bff);
  EXPECT_EQ(ToFp16(65520.0F), 0x7c00);
  EXPECT_EQ(ToFp16(1 + 1.0F / 2048), 0x3c00);  // ties to even
  EXPECT_TRUE(std::isnan(FromFp16(ToFp16(NAN))));
  EXPECT_TRUE(std::isnan(FromBf16(ToBf16(NAN))));
}

}  // namespace
}  // namespace headrace::load
