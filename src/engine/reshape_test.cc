#include "engine/reshape.h"

#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

TEST(ReshapeTest, MapsVariableExtentsInOrder) {
  EXPECT_EQ((Shape{2, 5, 7}), *Reshape(Shape{2, 1, 5, 7}, Shape{1, -1, -1}, Shape{-1, -1}, 1));
  EXPECT_EQ((Shape{3}), *Reshape(Shape{3, 1}, Shape{1}, Shape{}, 1));
  EXPECT_FALSE(Reshape(Shape{3}, Shape{4, 4}, Shape{16}, 0));
  EXPECT_FALSE(Reshape(Shape{3}, Shape{3}, Shape{-1}, 0));
}

}  // namespace
}  // namespace headrace::engine
