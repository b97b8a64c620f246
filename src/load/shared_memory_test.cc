#include "load/shared_memory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace headrace::load {
namespace {

using ::testing::HasSubstr;

// What a server would see of each region.
struct Regions {
  std::map<std::string, std::string> bytes;  // at registration, by region
  std::vector<std::string> keys;
  Status answer;
};

class FakeRegistrar final : public RegionRegistrar {
 public:
  explicit FakeRegistrar(Regions& regions) : regions_(regions) {}
  Status Register(const std::string& region, const std::string& key,
                  std::size_t byte_size) override {
    HEADRACE_RETURN_IF_ERROR(regions_.answer);
    const UniqueFd fd(::shm_open(key.c_str(), O_RDWR, 0));
    std::string bytes(byte_size, '\0');
    HEADRACE_CHECK(fd.valid() && ::pread(fd.get(), bytes.data(), byte_size, 0) ==
                                     static_cast<ssize_t>(byte_size));
    regions_.bytes[region] = std::move(bytes);
    regions_.keys.push_back(key);
    return OkStatus();
  }
  Status Unregister(const std::string& region) override {
    return regions_.bytes.erase(region) == 1 ? OkStatus() : NotFound("{}", region);
  }

 private:
  Regions& regions_;
};

Workload TwoContents() {
  Workload workload;
  Item& item = workload.items.emplace_back();
  item.name = item.model = "m";
  item.outputs = {"OUT0", "OUT1"};
  const auto shared = std::make_shared<const std::string>(100, 'a');
  for (int i = 0; i < 2; ++i) {
    Content& content = item.contents.emplace_back();
    content.inputs.push_back({"IN0", DataType::kUint8, {100}, shared});
    content.inputs.push_back({"IN1",
                              DataType::kUint8,
                              {3},
                              std::make_shared<const std::string>(3, static_cast<char>('b' + i))});
  }
  return workload;
}

Result<std::unique_ptr<SharedMemory>> Make(const Workload& workload, Regions& regions) {
  return SharedMemory::Create(workload, 1000, std::make_unique<FakeRegistrar>(regions));
}

bool Exists(const std::string& key) { return UniqueFd(::shm_open(key.c_str(), O_RDWR, 0)).valid(); }

TEST(SharedMemoryTest, Create_PlacesEveryTensor) {
  const Workload workload = TwoContents();
  Regions regions;
  auto memory = Make(workload, regions);
  ASSERT_TRUE(memory.ok()) << memory.status().ToString();
  for (std::size_t content = 0; content < 2; ++content) {
    for (std::size_t input = 0; input < 2; ++input) {
      const RegionSlice& slice = (*memory)->Input(0, content, input);
      EXPECT_EQ(0, slice.offset % 64);
      EXPECT_EQ(*workload.items[0].contents[content].inputs[input].bytes,
                regions.bytes.at(slice.region).substr(slice.offset, slice.byte_size));
    }
  }
  // The bytes that two contents share lie there once.
  EXPECT_EQ((*memory)->Input(0, 0, 0).offset, (*memory)->Input(0, 1, 0).offset);
  const RegionSlice& first = (*memory)->Output(0, 0);
  const RegionSlice& second = (*memory)->Output(0, 1);
  EXPECT_EQ(1000, first.byte_size);
  EXPECT_LE(first.offset + 1000, second.offset);
  EXPECT_LE(second.offset + 1000, regions.bytes.at(second.region).size());
}

TEST(SharedMemoryTest, Regions_HaveNoNameOnceTheyAreOpen_AndAreUnregisteredAtTheEnd) {
  const Workload workload = TwoContents();
  Regions regions;
  {
    auto memory = Make(workload, regions);
    ASSERT_TRUE(memory.ok());
    EXPECT_EQ(2, regions.keys.size());
    for (const std::string& key : regions.keys) {
      EXPECT_FALSE(Exists(key)) << key;
    }
    EXPECT_EQ(2, regions.bytes.size());
  }
  EXPECT_TRUE(regions.bytes.empty());
}

TEST(SharedMemoryTest, Create_KeepsTheServersWords) {
  const Workload workload = TwoContents();
  Regions regions;
  regions.answer = Unimplemented("shared memory is disabled");
  EXPECT_THAT(Make(workload, regions).status().ToString(), HasSubstr("is disabled"));
}

TEST(SharedMemoryTest, Create_RefusesExpectedOutputsThere) {
  Workload workload = TwoContents();
  workload.items[0].contents[1].golden.emplace();
  Regions regions;
  EXPECT_THAT(Make(workload, regions).status().ToString(),
              HasSubstr("item 'm': outputs are compared, and those in shared memory cannot be"));
  EXPECT_TRUE(regions.keys.empty());
}

}  // namespace
}  // namespace headrace::load
