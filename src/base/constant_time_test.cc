#include "base/constant_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/clock.h"

namespace headrace {
namespace {

TEST(ConstantTimeTest, ComparesWholeTexts) {
  EXPECT_TRUE(EqualInConstantTime("", ""));
  EXPECT_TRUE(EqualInConstantTime("secret\xff", "secret\xff"));
  EXPECT_FALSE(EqualInConstantTime("secret", "Secret"));
  EXPECT_FALSE(EqualInConstantTime("secret", "secreT"));
  EXPECT_FALSE(EqualInConstantTime("secret", "secre"));
  EXPECT_FALSE(EqualInConstantTime("secret", "secret "));
}

// So long a text that a comparison which stops at the first difference would be hundreds of times
// faster for one of the two; the least of several times is not what else runs on the machine.
TEST(ConstantTimeTest, TakesTheSameTime_WhereverTheDifferenceIs) {
  const std::string secret(1 << 20, 's');
  std::string early = secret, late = secret;
  early.front() = late.back() = 'x';
  Nanos early_time = kNever, late_time = kNever;
  for (int i = 0; i < 30; ++i) {
    for (const auto& [given, least] :
         {std::pair(&early, &early_time), std::pair(&late, &late_time)}) {
      const Nanos begin = Clock::Real().Now();
      ASSERT_FALSE(EqualInConstantTime(secret, *given));
      *least = std::min(*least, Clock::Real().Now() - begin);
    }
  }
  EXPECT_LT(late_time, 3 * early_time);
  EXPECT_LT(early_time, 3 * late_time);
}

}  // namespace
}  // namespace headrace
