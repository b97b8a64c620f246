#include "base/write_all.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace headrace {
namespace {

TEST(WriteAllTest, GoesOnUntilNothingIsLeft) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const std::string text(std::size_t{1} << 20, 'x');  // more than a pipe holds
  std::string read;
  std::thread reader([&] {
    char bytes[4096];
    for (ssize_t count = 0; (count = ::read(from.get(), bytes, sizeof bytes)) > 0;) {
      read.append(bytes, static_cast<std::size_t>(count));
    }
  });
  EXPECT_TRUE(WriteAll(to.get(), text));
  EXPECT_TRUE(WriteAll(to.get(), ""));
  to.Reset();
  reader.join();
  EXPECT_EQ(read, text);
}

TEST(WriteAllTest, LeavesTheReasonInErrno) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  EXPECT_FALSE(WriteAll(full.get(), "x"));
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_FALSE(WriteAll(-1, "x"));
  EXPECT_EQ(errno, EBADF);
}

}  // namespace
}  // namespace headrace
