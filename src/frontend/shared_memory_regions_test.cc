#include "frontend/shared_memory_regions.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace headrace::frontend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A client's object of 4096 bytes, each of which holds its own number.
class Object {
 public:
  Object() : key_(fmt::format("/headrace_test_{}_{}", getpid(), ++count)) {
    fd_ = UniqueFd(shm_open(key_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
    std::string bytes(4096, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(i);
    }
    EXPECT_EQ(pwrite(fd_.get(), bytes.data(), bytes.size(), 0), 4096);
  }
  ~Object() { shm_unlink(key_.c_str()); }

  const std::string& key() const { return key_; }
  void Truncate(off_t byte_size) { EXPECT_EQ(ftruncate(fd_.get(), byte_size), 0); }
  std::string Bytes(std::size_t offset, std::size_t byte_size) const {
    std::string bytes(byte_size, '\0');
    EXPECT_EQ(pread(fd_.get(), bytes.data(), byte_size, static_cast<off_t>(offset)),
              static_cast<ssize_t>(byte_size));
    return bytes;
  }

 private:
  static inline int count = 0;
  const std::string key_;
  UniqueFd fd_;
};

class SharedMemoryRegionsTest : public ::testing::Test {
 protected:
  static Tensor Text(std::string_view bytes) {
    Tensor tensor;
    tensor.dtype = DataType::kUint8;
    tensor.shape = Shape{static_cast<std::int64_t>(bytes.size())};
    tensor.data = Buffer::CopyOf(bytes);
    return tensor;
  }

  Object object_;
  BlockPool pool_;
  SharedMemoryRegions regions_{{.allowed = true, .key_prefix = {}, .region_count_max = 3}};
};

TEST_F(SharedMemoryRegionsTest, Read_CopiesPartsOfTheRegion) {
  ASSERT_TRUE(regions_.Register({"r", object_.key(), 256, 1000}).ok());
  const auto bytes = regions_.Read("r", 10, 4, pool_);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  EXPECT_EQ(bytes->view(), "\x0a\x0b\x0c\x0d");
  EXPECT_TRUE(regions_.Read("r", 0, 1000, pool_).ok());
  EXPECT_TRUE(regions_.Read("r", 1000, 0, pool_).ok());
}

TEST_F(SharedMemoryRegionsTest, Write_PutsATensorIntoTheRegion) {
  ASSERT_TRUE(regions_.Register({"r", object_.key(), 100, 100}).ok());
  Tensor tensor = Text("abc");
  tensor.more_fragments.push_back(Buffer::CopyOf("def"));
  ASSERT_TRUE(regions_.Write("r", 4, 6, "OUTPUT0", tensor).ok());
  EXPECT_EQ(object_.Bytes(104, 6), "abcdef");
  const Status small = regions_.Write("r", 4, 5, "OUTPUT0", tensor);
  EXPECT_EQ(
      small.message(),
      "shared memory size specified with the request for output 'OUTPUT0' (5 bytes) should be "
      "at least 6 bytes to hold the results");
}

TEST_F(SharedMemoryRegionsTest, Use_OutsideOfTheRegion_IsRefused) {
  ASSERT_TRUE(regions_.Register({"r", object_.key(), 0, 1000}).ok());
  const std::uint64_t huge = UINT64_MAX;
  EXPECT_EQ(regions_.Read("r", 1001, 0, pool_).status().message(),
            "Invalid offset for shared memory region: 'r'");
  for (const auto& [offset, byte_size] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 1001}, {1000, 1}, {1, 1000}, {1, huge}, {999, huge - 5}}) {
    EXPECT_EQ(regions_.Read("r", offset, byte_size, pool_).status().message(),
              "Invalid offset + byte size for shared memory region: 'r'");
  }
  EXPECT_FALSE(regions_.Read("r", huge - 31, 64, pool_).ok());
  EXPECT_EQ(regions_.Read("q", 0, 1, pool_).status().code(), StatusCode::kNotFound);
}

TEST_F(SharedMemoryRegionsTest, Register_RefusesWhatTheObjectDoesNotHold) {
  const std::uint64_t huge = UINT64_MAX;
  for (const auto& [offset, byte_size] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 0},
                                                            {0, 4097},
                                                            {4096, 1},
                                                            {1, 4096},
                                                            {huge, 1},
                                                            {1, huge},
                                                            {huge, huge},
                                                            {0, huge}}) {
    const Status status = regions_.Register({"r", object_.key(), offset, byte_size});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << offset << " " << byte_size;
    EXPECT_THAT(status.message(),
                HasSubstr("failed to register shared memory region 'r': invalid args"));
  }
  EXPECT_TRUE(regions_.Register({"r", object_.key(), 1, 4095}).ok());
}

TEST_F(SharedMemoryRegionsTest, Register_RefusesKeysThatAreNoObjectsOfClients) {
  for (const std::string key :
       {"", "/", "///", "/a/b", "..", "/..", "triton_python_backend_shm_region_1",
        "/triton_python_backend_shm_region_1", "///triton_python_backend_shm_region_1",
        "/headrace_worker_1", "/etc/passwd", "../../etc/passwd"}) {
    const Status status = regions_.Register({"r", key, 0, 1});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << key;
  }
  EXPECT_EQ(regions_.Register({"r", std::string("/a\0b", 4), 0, 1}).code(),
            StatusCode::kInvalidArgument);
}

TEST_F(SharedMemoryRegionsTest, Errors_NeverShowTheKey) {
  const std::string key = "/a_key_that_does_not_exist";
  const Status status = regions_.Register({"r", key, 0, 1});
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), Not(HasSubstr("a_key")));
  EXPECT_THAT(status.message(), HasSubstr("Unable to open"));
}

TEST_F(SharedMemoryRegionsTest, Register_KeepsToTheOperatorsPrefix) {
  SharedMemoryRegions narrow({.allowed = true, .key_prefix = "clients_", .region_count_max = 3});
  EXPECT_EQ(narrow.Register({"r", object_.key(), 0, 1}).code(), StatusCode::kInvalidArgument);
}

TEST_F(SharedMemoryRegionsTest, Register_RefusesATakenNameAndTooManyRegions) {
  ASSERT_TRUE(regions_.Register({"r", object_.key(), 0, 8}).ok());
  EXPECT_EQ(regions_.Register({"r", object_.key(), 0, 8}).code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(regions_.Register({"s", object_.key(), 0, 8}).ok());
  EXPECT_TRUE(regions_.Register({"t", object_.key(), 8, 8}).ok());
  EXPECT_EQ(regions_.Register({"u", object_.key(), 0, 8}).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(regions_.Register({"a name", object_.key(), 0, 8}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(regions_.List().size(), 3u);
  ASSERT_TRUE(regions_.Unregister("s").ok());
  EXPECT_TRUE(regions_.Unregister("never there").ok());
  EXPECT_EQ(regions_.Find("s").status().message(),
            "Unable to find system shared memory region: 's'");
  ASSERT_TRUE(regions_.UnregisterAll().ok());
  EXPECT_TRUE(regions_.List().empty());
}

TEST_F(SharedMemoryRegionsTest, TruncatedObject_FailsTheUse_AndIsNotMadeLargerAgain) {
  ASSERT_TRUE(regions_.Register({"r", object_.key(), 0, 4096}).ok());
  object_.Truncate(100);
  EXPECT_THAT(regions_.Read("r", 50, 100, pool_).status().message(), HasSubstr("was truncated"));
  EXPECT_TRUE(regions_.Read("r", 50, 50, pool_).ok());
  EXPECT_THAT(regions_.Write("r", 98, 8, "y", Text("abc")).message(), HasSubstr("was truncated"));
  EXPECT_TRUE(regions_.Write("r", 97, 8, "y", Text("abc")).ok());
}

TEST_F(SharedMemoryRegionsTest, ObjectThatShrinksAndGrowsAllTheTime_HarmsNobody) {
  ASSERT_TRUE(regions_.Register({"r", object_.key(), 0, 4096}).ok());
  std::atomic<bool> stop{false};
  std::thread client([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      object_.Truncate(0);
      object_.Truncate(4096);
    }
  });
  for (int i = 0; i < 2000; ++i) {
    (void)regions_.Read("r", 0, 4096, pool_);
    (void)regions_.Write("r", 0, 4096, "y", Text("abc"));
  }
  stop = true;
  client.join();
}

TEST_F(SharedMemoryRegionsTest, NothingIsAllowed_UnlessTheServerSaysSo) {
  SharedMemoryRegions off({.allowed = false, .key_prefix = {}, .region_count_max = 3});
  const std::string text =
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
      "enable.";
  EXPECT_EQ(off.Register({"r", object_.key(), 0, 1}).message(), text);
  EXPECT_EQ(off.Unregister("r").message(), text);
  EXPECT_EQ(off.Read("r", 0, 1, pool_).status().message(), text);
  EXPECT_EQ(off.Write("r", 0, 1, "y", Text("a")).code(), StatusCode::kUnimplemented);
  EXPECT_TRUE(off.List().empty());
}

}  // namespace
}  // namespace headrace::frontend
