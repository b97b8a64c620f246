#include "engine/client_rounds.h"

#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

TEST(ClientRoundsTest, GivesEachClientAQuantumInARound) {
  ClientRounds rounds(/*quantum=*/4);
  EXPECT_EQ(rounds.Enter(1, 2), 0U);
  EXPECT_EQ(rounds.Enter(1, 2), 0U);
  EXPECT_EQ(rounds.Enter(1, 2), 1U);
  EXPECT_EQ(rounds.Enter(2, 2), 0U);
  EXPECT_EQ(rounds.Next(1), 1U);
  EXPECT_EQ(rounds.Next(3), 0U);
}

TEST(ClientRoundsTest, CountsWhatIsLargerThanAQuantum_AsSeveralRounds) {
  ClientRounds rounds(4);
  EXPECT_EQ(rounds.Enter(1, 9), 0U);
  EXPECT_EQ(rounds.Enter(1, 1), 2U);
}

TEST(ClientRoundsTest, LetsAClientThatWasAway_InAtThePresentRound) {
  ClientRounds rounds(1);
  for (int i = 0; i < 5; ++i) {
    rounds.Enter(1, 1);
  }
  rounds.Serve(3);
  EXPECT_EQ(rounds.Enter(2, 1), 3U);
  EXPECT_EQ(rounds.Enter(2, 1), 4U);
}

TEST(ClientRoundsTest, RemembersWhatWasUsedOfTheRound_OfAClientThatComesBack) {
  ClientRounds rounds(1);
  EXPECT_EQ(rounds.Enter(1, 1), 0U);
  rounds.Leave(1);
  EXPECT_EQ(rounds.Enter(1, 1), 1U);
}

TEST(ClientRoundsTest, EndsARound_WhenNewClientsKeepComingIntoIt) {
  ClientRounds rounds(1);
  for (std::uint64_t client = 0; client < 100 * ClientRounds::kRequestsPerRoundMax; ++client) {
    rounds.Enter(client, 1);
    rounds.Leave(client);
    ASSERT_LE(rounds.remembered_count(), 3 * ClientRounds::kRequestsPerRoundMax);
  }
  EXPECT_EQ(rounds.Next(1), 100U);
}

TEST(ClientRoundsTest, BeginsAnewWhenReset) {
  ClientRounds rounds(1);
  rounds.Enter(1, 5);
  rounds.Serve(4);
  rounds.Reset();
  EXPECT_EQ(rounds.remembered_count(), 0U);
  EXPECT_EQ(rounds.Enter(1, 1), 0U);
}

}  // namespace
}  // namespace headrace::engine
