#include "frontend/posted_bytes.h"

#include <gtest/gtest.h>

namespace headrace::frontend {
namespace {

TEST(PostedBytesTest, Add_KeepsTheLimit_ButLetsOneAloneHaveAnySize) {
  PostedBytes posted;
  EXPECT_TRUE(posted.Add(11, 10));
  EXPECT_FALSE(posted.Add(1, 10));
  posted.Remove(11);
  EXPECT_TRUE(posted.Add(4, 10));
  EXPECT_FALSE(posted.Add(7, 10));
  EXPECT_TRUE(posted.Add(6, 10));  // what was refused was not added
}

}  // namespace
}  // namespace headrace::frontend
