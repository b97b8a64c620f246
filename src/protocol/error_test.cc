#include "protocol/error.h"

#include <gtest/gtest.h>

namespace headrace::protocol {
namespace {

TEST(HttpStatusOfTest, FollowsTheContract) {
  EXPECT_EQ(HttpStatusOf(StatusCode::kOk), 200);
  EXPECT_EQ(HttpStatusOf(StatusCode::kInternal), 500);
  EXPECT_EQ(HttpStatusOf(StatusCode::kNotFound), 404);
  EXPECT_EQ(HttpStatusOf(StatusCode::kUnavailable), 503);
  EXPECT_EQ(HttpStatusOf(StatusCode::kUnimplemented), 501);
  EXPECT_EQ(HttpStatusOf(StatusCode::kDeadlineExceeded), 504);
  EXPECT_EQ(HttpStatusOf(StatusCode::kResourceExhausted), 413);
  EXPECT_EQ(HttpStatusOf(StatusCode::kUnauthenticated), 401);
  EXPECT_EQ(HttpStatusOf(StatusCode::kPermissionDenied), 403);
  for (const StatusCode code :
       {StatusCode::kUnknown, StatusCode::kInvalidArgument, StatusCode::kAlreadyExists,
        StatusCode::kCancelled, StatusCode::kOutOfRange, StatusCode::kFailedPrecondition}) {
    EXPECT_EQ(HttpStatusOf(code), 400);
  }
}

}  // namespace
}  // namespace headrace::protocol
