#include "base/status.h"

#include <gtest/gtest.h>

#include <set>

#include "base/result.h"

namespace headrace {
namespace {

TEST(StatusTest, Default_IsOkWithoutMessage) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.ToString(), "OK");
  EXPECT_EQ(sizeof(Status), sizeof(void*));
}

TEST(StatusTest, Shorthand_FormatsMessageWithCode) {
  const Status status = InvalidArgument("input '{}' has {} bytes", "x", 3);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.ToString(), "INVALID_ARGUMENT: input 'x' has 3 bytes");
}

TEST(StatusTest, Copy_IsIndependentOfItsSource) {
  Status first = NotFound("model '{}'", "m");
  Status second = first;
  first = OkStatus();
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(second.message(), "model 'm'");
  second = Status(second);
  EXPECT_EQ(second.code(), StatusCode::kNotFound);
}

TEST(StatusTest, WithPrefix_KeepsCodeAndSuccess) {
  EXPECT_TRUE(OkStatus().WithPrefix("x: ").ok());
  const Status status = Unavailable("busy").WithPrefix("model m: ");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "model m: busy");
}

TEST(StatusTest, EveryCode_HasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= 16; ++code) {
    names.insert(StatusCodeName(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), 17u);
}

TEST(StatusDeathTest, FailureWithOkCode_Dies) {
  EXPECT_DEATH(Status(StatusCode::kOk, "no"), "check failed");
}

Status FailIf(bool fail) { return fail ? Internal("failed") : OkStatus(); }

Status RunBoth(bool first, bool second) {
  HEADRACE_RETURN_IF_ERROR(FailIf(first));
  HEADRACE_RETURN_IF_ERROR(FailIf(second).WithPrefix("second "));
  return OkStatus();
}

TEST(StatusTest, ReturnIfError_StopsAtTheFirstFailure) {
  EXPECT_TRUE(RunBoth(false, false).ok());
  EXPECT_EQ(RunBoth(true, true).message(), "failed");
  EXPECT_EQ(RunBoth(false, true).message(), "second failed");
}

Result<int> Half(int n) {
  if (n % 2 != 0) {
    return InvalidArgument("{} is odd", n);
  }
  return n / 2;
}

Result<int> Quarter(int n) {
  HEADRACE_ASSIGN_OR_RETURN(const int half, Half(n));
  HEADRACE_ASSIGN_OR_RETURN(int quarter, Half(half));
  return quarter;
}

TEST(ResultTest, AssignOrReturn_PassesValueOrFailureOn) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(7).status().message(), "7 is odd");
  EXPECT_EQ(Quarter(6).status().message(), "3 is odd");
}

TEST(ResultTest, MoveOnlyValue_CanBeTakenOut) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(**result, 7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, ValueOfFailure_Dies) { EXPECT_DEATH(Half(3).value(), "check failed"); }

TEST(ResultDeathTest, FailureWithOkStatus_Dies) {
  EXPECT_DEATH(Result<int>{OkStatus()}, "check failed");
}

}  // namespace
}  // namespace headrace
