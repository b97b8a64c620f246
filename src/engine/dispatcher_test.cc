#include "engine/dispatcher.h"

#include <gtest/gtest.h>

#include <memory>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

std::unique_ptr<InferRequest> Request() {
  return std::make_unique<InferRequest>(
      nullptr, std::make_unique<testing::FakeSink>(std::make_shared<testing::Answer>()));
}

TEST(DispatcherTest, NothingIsTakenAheadOfARunnerThatIsThereForIt) {
  QueueCore core({}, {});
  Dispatcher<QueueCore> dispatcher(core);
  RunnerLot::Parked idle;
  QueueCore::Popped nothing;
  ASSERT_TRUE(dispatcher.Pop(idle, false, 0, nothing).parked);
  auto first = Request(), second = Request();
  ASSERT_EQ(dispatcher.Push(first, 1).wake, &idle);
  dispatcher.Push(second, 1);
  QueueCore::Popped ahead;
  dispatcher.PopAhead(2, ahead);  // it is on its way
  EXPECT_TRUE(ahead.batch.empty());
  QueueCore::Popped own;
  dispatcher.Pop(idle, true, 3, own);
  EXPECT_EQ(own.batch.size(), 1u);
  dispatcher.PopAhead(4, ahead);  // it executes: whoever asks first gets the rest
  EXPECT_EQ(ahead.batch.size(), 1u);
}

}  // namespace
}  // namespace headrace::engine
