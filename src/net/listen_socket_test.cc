#include "net/listen_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace headrace::net {
namespace {

using testing::HasSubstr;

class UnixSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "socketXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ + "/s";
  }
  void TearDown() override {
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }
  Result<ListenSockets> Open(int count) {
    return OpenListenSockets({.address = "unix:" + path_, .port = 0, .reuse_port = false}, count);
  }
  UniqueFd Connect() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0
               ? std::move(fd)
               : UniqueFd();
  }

  std::string directory_, path_;
};

TEST_F(UnixSocketTest, AnyOfItsDescriptors_TakesAConnection) {
  const auto opened = Open(2);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  ASSERT_EQ(opened->sockets.size(), 2u);
  for (const UniqueFd& socket : opened->sockets) {
    const UniqueFd client = Connect();
    ASSERT_TRUE(client);
    EXPECT_TRUE(UniqueFd(::accept(socket.get(), nullptr, nullptr)));
  }
}

TEST_F(UnixSocketTest, OneThatIsLeftOver_IsTakenOver) {
  { ASSERT_TRUE(Open(1).ok()); }
  ASSERT_EQ(::access(path_.c_str(), F_OK), 0);
  EXPECT_TRUE(Open(1).ok());
}

TEST_F(UnixSocketTest, OneThatIsUsed_AndAFile_StayWhatTheyAre) {
  {
    const auto opened = Open(1);
    ASSERT_TRUE(opened.ok());
    const auto second = Open(1);
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(second.status().message(), HasSubstr(path_));
    EXPECT_TRUE(Connect());
  }
  ::unlink(path_.c_str());
  std::ofstream(path_) << "text";
  EXPECT_FALSE(Open(1).ok());
  EXPECT_FALSE(Connect());
}

TEST_F(UnixSocketTest, APathThatIsTooLong_IsRefused) {
  const auto opened = OpenListenSockets(
      {.address = "unix:/" + std::string(200, 'x'), .port = 0, .reuse_port = false}, 1);
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.status().message(), HasSubstr("bytes"));
}

}  // namespace
}  // namespace headrace::net
