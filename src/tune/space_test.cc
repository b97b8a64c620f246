#include "tune/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::tune {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::Not;

SearchSpace Space(SpaceLimits limits, Variant variant = {.thread_parameter = "threads"}) {
  return MakeSpace({std::move(variant)}, limits);
}

TEST(MakeSpace, TakesPowersOfTwo_AndTheModelsOwnLimit) {
  EXPECT_THAT(Space({.batch_max = 24}).batches, ElementsAre(1, 2, 4, 8, 16, 24));
  EXPECT_THAT(Space({.batch_max = 0}).batches, ElementsAre(1));
  EXPECT_THAT(Space({.batch_max = 0}).delays, ElementsAre(0));
}

TEST(MakeSpace, TakesDelaysFromTheSla) {
  EXPECT_THAT(Space({.batch_max = 2, .sla = 100 * kMillisecond}).delays,
              ElementsAre(0, 3100 * kMicrosecond, 10 * kMillisecond, 25 * kMillisecond));
  EXPECT_THAT(Space({.batch_max = 2, .sla = 300 * kMicrosecond}).delays, ElementsAre(0));
}

TEST(Shapes, ExceedTheCores_OnlyWhereMoreInstancesAreAskedFor) {
  const SearchSpace space = Space({.instances_max = 8, .cores = 2});
  EXPECT_THAT(space.Shapes(space.variants[0]),
              ElementsAre(Shape{1, 1}, Shape{2, 1}, Shape{1, 2}, Shape{4, 1}));
}

TEST(Shapes, NeverExceedTheCores) {
  const SearchSpace space = Space({.instances_max = 6, .cores = 6});
  const std::vector<Shape> shapes = space.Shapes(space.variants[0]);
  for (const Shape& shape : shapes) {
    EXPECT_LE(shape.cores(), 6);
  }
  EXPECT_THAT(shapes, Contains(Shape{6, 1}));
  EXPECT_THAT(shapes, Contains(Shape{1, 6}));
  EXPECT_THAT(shapes, Contains(Shape{3, 2}));
  EXPECT_THAT(shapes, Not(Contains(Field(&Shape::threads, 4))));
}

TEST(Shapes, LeaveThreadsAlone_WhereTheBackendCannotBeTold) {
  const SearchSpace space = Space({.instances_max = 8, .cores = 4}, {});
  EXPECT_THAT(space.Shapes(space.variants[0]),
              ElementsAre(Shape{1, 0}, Shape{2, 0}, Shape{3, 0}, Shape{4, 0}));
  const SearchSpace large = Space({.instances_max = 8, .cores = 8}, {});
  EXPECT_THAT(large.Shapes(large.variants[0]),
              ElementsAre(Shape{1, 0}, Shape{2, 0}, Shape{4, 0}, Shape{8, 0}));
}

TEST(All, HasDelaysForBatchesOnly) {
  const SearchSpace space = Space({.batch_max = 2, .instances_max = 1, .cores = 1});
  EXPECT_EQ(space.All().size(), 1u + space.delays.size());
  const std::vector<Configuration> all = space.All();
  EXPECT_THAT(all, Each(Field(&Configuration::as_found, false)));
}

TEST(Describe, SaysItInWords) {
  EXPECT_EQ(Describe(Configuration{
                .variant = "int8", .shape = {2, 1}, .batch_max = 8, .delay = 3 * kMillisecond}),
            "int8, 2 instances x 1 thread, batch 8, delay 3.00 ms");
  EXPECT_EQ(Describe(Configuration{.shape = {1, 0}}), "1 instance, no batching");
  EXPECT_EQ(RateText(1234567), "1,234,567/s");
}

}  // namespace
}  // namespace headrace::tune
