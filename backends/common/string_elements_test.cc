#include "common/string_elements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace headrace::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::byte> Serialise(const std::vector<std::string>& elements) {
  const StringSpan span(elements);
  std::vector<std::byte> bytes(span.SerialisedByteSize(0, elements.size()));
  span.Serialise(0, elements.size(), bytes.data());
  return bytes;
}

TEST(StringElements, WhatIsSerialisedIsReadAgain) {
  const std::vector<std::string> elements = {"", "plain", std::string("nul\0nul", 7),
                                             std::string(3000, 'x')};
  std::vector<std::string> read;
  ASSERT_TRUE(ReadStringElements(Serialise(elements), elements.size(), &read).ok());
  EXPECT_EQ(read, elements);
}

TEST(StringElements, SerialisesSomeInTheMiddle) {
  const std::vector<std::string> elements = {"a", "bc", "def"};
  const StringSpan span(elements);
  ASSERT_EQ(span.SerialisedByteSize(1, 2), 4u + 2 + 4 + 3);
  std::vector<std::byte> bytes(span.SerialisedByteSize(1, 2));
  span.Serialise(1, 2, bytes.data());
  std::vector<std::string> read;
  ASSERT_TRUE(ReadStringElements(bytes, 2, &read).ok());
  EXPECT_THAT(read, ElementsAre("bc", "def"));
}

TEST(StringElements, RefusesWhatIsNotWholeAtEveryLength) {
  const std::vector<std::byte> whole = Serialise({"ab", "cde"});
  std::vector<std::string> read;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ReadStringElements({whole.data(), size}, 2, &read).ok()) << size;
  }
  EXPECT_TRUE(ReadStringElements(whole, 2, &read).ok());
}

TEST(StringElements, RefusesMoreThanTheElements) {
  std::vector<std::string> read;
  const Error error = ReadStringElements(Serialise({"ab", "cde"}), 1, &read);
  ASSERT_FALSE(error.ok());
  EXPECT_THAT(error.message(), HasSubstr("7 bytes follow"));
}

TEST(StringElements, RefusesACountThatTheBytesCannotHoldWithoutAllocatingForIt) {
  std::vector<std::string> read;
  EXPECT_FALSE(ReadStringElements(Serialise({"ab"}), std::size_t{1} << 60, &read).ok());
}

}  // namespace
}  // namespace headrace::backend
