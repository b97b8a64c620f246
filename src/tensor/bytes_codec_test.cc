#include "tensor/bytes_codec.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace headrace {
namespace {

using std::string_literals::operator""s;

std::string Serialized(const std::vector<std::string>& elements) {
  std::string bytes;
  for (const std::string& element : elements) {
    AppendBytesElement(bytes, element);
  }
  return bytes;
}

Tensor TensorOf(const std::string& bytes) {
  Tensor tensor;
  tensor.dtype = DataType::kBytes;
  tensor.data = Buffer::CopyOf(bytes);
  return tensor;
}

// The tensor whose bytes are cut into fragments at `cuts` (ascending).
Tensor Fragmented(const std::string& bytes, const std::vector<std::size_t>& cuts) {
  const Buffer whole = Buffer::CopyOf(bytes);
  Tensor tensor;
  tensor.dtype = DataType::kBytes;
  std::size_t begin = 0;
  std::vector<Buffer> fragments;
  for (const std::size_t cut : cuts) {
    fragments.push_back(whole.Slice(begin, cut - begin));
    begin = cut;
  }
  fragments.push_back(whole.Slice(begin, bytes.size() - begin));
  tensor.data = fragments.front();
  tensor.more_fragments.assign(fragments.begin() + 1, fragments.end());
  return tensor;
}

std::string Message(const std::string& bytes, std::int64_t element_count) {
  const Status status = ValidateBytesTensor(TensorOf(bytes), element_count, "IN", "m");
  EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInvalidArgument);
  return status.message();
}

TEST(BytesCodecTest, Append_WritesALittleEndianLengthAndTheBytes) {
  std::string bytes;
  AppendBytesElement(bytes, "ab");
  AppendBytesElement(bytes, "");
  AppendBytesElement(bytes, std::string(258, 'x'));
  EXPECT_EQ(bytes.substr(0, 14), "\2\0\0\0ab\0\0\0\0\2\1\0\0"s);
  EXPECT_EQ(bytes.size(), 14u + 258u);
}

TEST(BytesCodecTest, Split_IsTheInverseOfAppend) {
  const std::vector<std::string> elements = {"", "a", "nul\0inside"s, std::string(70'000, 'z'), ""};
  const std::string bytes = Serialized(elements);
  const auto split = SplitBytesElements(bytes);
  ASSERT_TRUE(split.ok());
  EXPECT_EQ(std::vector<std::string>(split->begin(), split->end()), elements);
  EXPECT_TRUE(SplitBytesElements("")->empty());
}

TEST(BytesCodecTest, Split_RefusesWhatIsNotWellFormed) {
  for (const std::string& bytes : {"\1"s, "\1\0\0"s, "\1\0\0\0"s, "\2\0\0\0a"s, "\xff\xff\xff\xff"s,
                                   "\1\0\0\0a\1\2\3"s, "\xff\xff\xff\x7f...."s}) {
    EXPECT_EQ(SplitBytesElements(bytes).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(BytesCodecTest, Validate_AcceptsTheExactNumberOfElements) {
  EXPECT_EQ(Message("", 0), "");
  EXPECT_EQ(Message(Serialized({"a"}), 1), "");
  EXPECT_EQ(Message(Serialized({"", "", ""}), 3), "");
  EXPECT_EQ(Message(Serialized({"nul\0inside"s, std::string(70'000, 'z')}), 2), "");
}

// The texts were taken from a running Triton 2.51, without its advice on buffers: here a length may
// straddle two.
TEST(BytesCodecTest, Validate_NamesWhatIsWrongAsTritonDoes) {
  struct Row {
    std::string bytes;
    std::int64_t element_count;
    const char* message;
  };
  const Row rows[] = {
      {Serialized({"ab"}) + "\1\2\3", 1,
       "incomplete string length indicator for inference input 'IN' for model 'm', expecting 4 "
       "bytes but only 3 bytes available"},
      {"\1\2\3", 1,
       "incomplete string length indicator for inference input 'IN' for model 'm', expecting 4 "
       "bytes but only 3 bytes available"},
      {"\5\0\0\0abc"s, 1,
       "incomplete string data for inference input 'IN', expecting string of length 5 but only 3 "
       "bytes available"},
      {"\xff\xff\xff\xff"
       "abc",
       1,
       "incomplete string data for inference input 'IN', expecting string of length 4294967295 "
       "but only 3 bytes available"},
      {Serialized({"ab"}) + "\xff\xff\xff\xff", 2,
       "incomplete string data for inference input 'IN', expecting string of length 4294967295 "
       "but only 0 bytes available"},
      {Serialized({"ab"}), 2,
       "expected 2 string elements for inference input 'IN' for model 'm', got 1"},
      {"", 1, "expected 1 string elements for inference input 'IN' for model 'm', got 0"},
      {Serialized({"ab"}) + "\xff\xff\xff\xff"
                            "abc",
       3, "expected 3 string elements for inference input 'IN' for model 'm', got 2"},
      {Serialized({"ab", "ab"}), 1,
       "unexpected number of string elements 2 for inference input 'IN' for model 'm', expecting "
       "1"},
      {Serialized({""}), 0,
       "unexpected number of string elements 1 for inference input 'IN' for model 'm', expecting "
       "0"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Message(row.bytes, row.element_count), row.message);
  }
}

TEST(BytesCodecTest, Validate_GivesTheSameVerdictHoweverTheBytesAreCut) {
  const std::vector<std::pair<std::string, std::int64_t>> cases = {
      {Serialized({"abc", "", "defgh"}), 3},
      {Serialized({"abc", ""}) + "\1\0", 2},
      {Serialized({"abc"}) + "\7\0\0\0xy"s, 2},
      {Serialized({"abc", "d"}), 1},
      {Serialized({"abc", "d"}), 3},
  };
  for (const auto& [bytes, count] : cases) {
    const std::string whole = Message(bytes, count);
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
      for (std::size_t second = first; second <= bytes.size(); ++second) {
        const Tensor tensor = Fragmented(bytes, {first, second});
        EXPECT_EQ(ValidateBytesTensor(tensor, count, "IN", "m").message(), whole)
            << first << " " << second;
      }
    }
    std::vector<std::size_t> every;
    for (std::size_t i = 1; i < bytes.size(); ++i) {
      every.push_back(i);
    }
    EXPECT_EQ(ValidateBytesTensor(Fragmented(bytes, every), count, "IN", "m").message(), whole);
  }
}

TEST(BytesCodecTest, Validate_TakesAMillionEmptyStringsAndOneHugeOne) {
  constexpr std::int64_t kMillion = 1'000'000;
  EXPECT_EQ(Message(std::string(4 * kMillion, '\0'), kMillion), "");
  EXPECT_NE(Message(std::string(4 * kMillion, '\0'), kMillion - 1), "");
  EXPECT_EQ(Message(Serialized({std::string(60 << 20, 'x')}), 1), "");
}

TEST(BytesCodecTest, Validate_LeavesDeviceMemoryAlone) {
  Tensor tensor;
  tensor.memory_kind = MemoryKind::kGpu;
  tensor.data = Buffer(BlockRef(), reinterpret_cast<const std::byte*>(8), 100);
  EXPECT_TRUE(ValidateBytesTensor(tensor, 1, "IN", "m").ok());
}

}  // namespace
}  // namespace headrace
