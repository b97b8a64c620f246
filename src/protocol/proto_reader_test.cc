#include "protocol/proto_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/proto_writer.h"

namespace headrace::protocol {
namespace {

// `bytes` in slices of `step` bytes, with empty ones between.
std::vector<Buffer> Sliced(std::string_view bytes, std::size_t step) {
  std::vector<Buffer> slices(1);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    slices.push_back(Buffer::CopyOf(bytes.substr(at, step)));
    slices.emplace_back();
  }
  return slices;
}

std::string Sample() {
  std::string bytes;
  ProtoWriter writer(bytes);
  writer.Varint(1, UINT64_MAX);
  writer.Bytes(2, "hello, world");
  writer.Double(3, 1.5);
  writer.Varint(200000, 300);
  writer.BytesHead(4, 2);
  writer.BareVarint(150);
  return bytes;
}

TEST(ProtoReaderTest, ReadsTheSameWhateverTheSlices) {
  const std::string bytes = Sample();
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const std::vector<Buffer> slices = Sliced(bytes, step);
    ProtoReader reader(slices);
    std::uint64_t number = 0;
    std::string text;
    ProtoReader list;
    ASSERT_TRUE(reader.Next() && reader.field() == 1 && reader.ReadVarint(number));
    EXPECT_EQ(number, UINT64_MAX);
    ASSERT_TRUE(reader.Next() && reader.field() == 2 && reader.ReadString(text, 12));
    EXPECT_EQ(text, "hello, world");
    ASSERT_TRUE(reader.Next() && reader.field() == 3 && reader.ReadFixed64(number));
    EXPECT_EQ(number, 0x3ff8000000000000u);
    ASSERT_TRUE(reader.Next() && reader.field() == 200000 && reader.Skip());
    ASSERT_TRUE(reader.Next() && reader.field() == 4 && reader.ReadMessage(list));
    ASSERT_TRUE(list.BareVarint(number));
    EXPECT_EQ(number, 150u);
    EXPECT_TRUE(list.at_end());
    EXPECT_FALSE(reader.Next());
    EXPECT_TRUE(reader.ok());
  }
}

TEST(ProtoReaderTest, ReadInPlace_PointsIntoTheSlices) {
  std::string bytes;
  ProtoWriter(bytes).Bytes(7, "abcdefgh");
  const std::vector<Buffer> slices = {Buffer::CopyOf(std::string_view(bytes).substr(0, 5)),
                                      Buffer::CopyOf(std::string_view(bytes).substr(5))};
  ProtoReader reader(slices);
  Tensor tensor;
  ASSERT_TRUE(reader.Next() && reader.ReadInPlace(tensor));
  ASSERT_EQ(tensor.fragment_count(), 2u);
  EXPECT_EQ(tensor.data.view(), "abc");
  EXPECT_EQ(tensor.data.data(), slices[0].data() + 2);
  EXPECT_EQ(tensor.more_fragments[0].data(), slices[1].data());
  EXPECT_TRUE(reader.at_end());
}

TEST(ProtoReaderTest, EveryProperPrefix_IsAnError_UnlessItEndsBetweenFields) {
  const std::string bytes = Sample();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<Buffer> slices = Sliced(std::string_view(bytes).substr(0, size), 3);
    ProtoReader reader(slices);
    std::size_t last = 0;
    while (reader.Next()) {
      if (!reader.Skip()) {
        break;
      }
      last = size - reader.bytes_left();
    }
    EXPECT_EQ(reader.ok(), last == size) << size;
  }
}

TEST(ProtoReaderTest, Skip_PassesOverGroups_DownToTheLimit) {
  const auto groups = [](int depth) {
    std::string bytes;
    for (int i = 0; i < depth; ++i) {
      bytes.push_back(0x53);  // field 10, begin
    }
    for (int i = 0; i < depth; ++i) {
      bytes.push_back(0x54);
    }
    return bytes;
  };
  for (const auto& [depth, good] :
       {std::pair(1, true), {100, true}, {101, false}, {10000, false}}) {
    const std::vector<Buffer> slices = Sliced(groups(depth), 7);
    ProtoReader reader(slices);
    ASSERT_TRUE(reader.Next());
    EXPECT_EQ(reader.Skip(), good) << depth;
    EXPECT_EQ(reader.ok(), good);
  }
}

TEST(ProtoReaderTest, RefusesWhatIsNoMessage) {
  const std::string_view bad[] = {
      std::string_view("\x00\x00", 2),  // field 0
      std::string_view("\x0e", 1),      // wire type 6
      std::string_view("\x54", 1),      // the end of no group
      std::string_view("\x53\x5c", 2),  // the end of another group
      std::string_view("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12),  // 11 bytes
      std::string_view("\xff\xff\xff\xff\x7f\x00", 6),                        // a field beyond 2^29
      std::string_view("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01z", 12),  // a length of 2^64-1
  };
  for (const std::string_view bytes : bad) {
    const std::vector<Buffer> slices = Sliced(bytes, 2);
    ProtoReader reader(slices);
    while (reader.Next() && reader.Skip()) {
    }
    EXPECT_FALSE(reader.ok());
    EXPECT_NE(reader.error(), nullptr);
  }
}

TEST(ProtoReaderTest, ReadString_RefusesWhatIsTooLongOrNotUtf8) {
  for (const std::string_view text : {"abcde", "\xff", "\xc0\x80"}) {
    std::string bytes;
    ProtoWriter(bytes).Bytes(1, text);
    const std::vector<Buffer> slices = Sliced(bytes, 1);
    ProtoReader reader(slices);
    std::string value;
    ASSERT_TRUE(reader.Next());
    EXPECT_FALSE(reader.ReadString(value, 4)) << text;
    EXPECT_FALSE(reader.Next());
  }
}

TEST(ProtoReaderTest, AnotherWireType_IsAnError) {
  std::string bytes;
  ProtoWriter(bytes).Varint(1, 5);
  const std::vector<Buffer> slices = Sliced(bytes, 9);
  ProtoReader reader(slices);
  std::string text;
  ASSERT_TRUE(reader.Next());
  EXPECT_FALSE(reader.ReadString(text, 100));
  EXPECT_STREQ(reader.error(), "the field is of another wire type");
}

}  // namespace
}  // namespace headrace::protocol
