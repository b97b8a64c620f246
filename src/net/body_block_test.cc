#include "net/body_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace headrace::net {
namespace {

TEST(BodyBlockTest, Memory_StaysWithin64TimesWhatHasArrived) {
  BlockPool pool;
  BodyBlock body;
  const std::size_t size = 64 << 20;
  body.StartSized(pool, size, 0);
  EXPECT_EQ(pool.in_use_byte_size(), 0u);
  ASSERT_TRUE(body.Append("x"));
  EXPECT_LT(pool.in_use_byte_size(), 100u * 1024);
  while (body.left() > 0) {
    const std::span<char> space = body.ReceiveSpace();
    if (space.empty()) {
      ASSERT_TRUE(body.Append("x"));
      // A block of the pool's size class may be a quarter larger than asked for.
      ASSERT_LE(pool.in_use_byte_size(), std::max<std::size_t>(100 * 1024, 81 * body.received()));
      continue;
    }
    std::memset(space.data(), 'x', space.size());
    body.Received(space.size());
  }
  const Buffer whole = body.Finish();
  EXPECT_EQ(whole.size(), size);
  EXPECT_EQ(std::count(whole.view().begin(), whole.view().end(), 'x'),
            static_cast<std::ptrdiff_t>(size));
}

TEST(BodyBlockTest, Append_Fails_WhenTheBudgetIsSpent_AndResetGivesAllBack) {
  BlockPool pool({.in_use_byte_size_max = 100'000});
  BodyBlock body;
  body.StartChunked(pool, 17);
  const std::string piece(10'000, 'x');
  int appended = 0;
  while (body.Append(piece)) {
    ++appended;
  }
  EXPECT_GT(appended, 2);
  EXPECT_LT(appended, 10);
  body.Reset();
  EXPECT_EQ(pool.in_use_byte_size(), 0u);
}

TEST(BodyBlockTest, Finish_OfNothing_IsEmpty) {
  BlockPool pool;
  BodyBlock body;
  body.StartChunked(pool, 0);
  EXPECT_TRUE(body.Finish().empty());
}

}  // namespace
}  // namespace headrace::net
