#include "worker/output_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace headrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OutputLinesTest : public ::testing::Test {
 protected:
  void Add(std::string_view bytes) { lines.Add(bytes, now, sink); }
  std::vector<std::string> Taken() { return std::exchange(seen, {}); }

  std::vector<std::string> seen;
  OutputLines::Sink sink = [this](std::string_view line) { seen.emplace_back(line); };
  OutputLines lines{{.line_byte_size_max = 8, .lines_per_second_max = 3}};
  Nanos now = 100 * kSecond;
};

TEST_F(OutputLinesTest, LinesMayComeInPieces) {
  Add("a\nbc");
  EXPECT_THAT(Taken(), ElementsAre("a"));
  Add("d");
  EXPECT_THAT(Taken(), IsEmpty());
  Add("\n\n\r\ne\rf");
  EXPECT_THAT(Taken(), ElementsAre("bcd", "e"));
  lines.Finish(sink);
  EXPECT_THAT(Taken(), ElementsAre("f"));
  lines.Finish(sink);
  EXPECT_THAT(Taken(), IsEmpty());
}

TEST_F(OutputLinesTest, LongLinesAreCut) {
  Add("12345678\n123456789\n");
  Add("1234567");
  Add(std::string(1000, 'x'));
  Add("\n");
  EXPECT_THAT(Taken(), ElementsAre("12345678", "12345678... (1 more bytes)",
                                   "1234567x... (999 more bytes)"));
}

TEST_F(OutputLinesTest, LinesAboveTheRateAreCounted) {
  Add("1\n2\n3\n4\n5\n");
  EXPECT_THAT(Taken(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(lines.look_at(), now + kSecond);
  now += kSecond - 1;
  Add("6\n");
  EXPECT_THAT(Taken(), IsEmpty());
  ++now;
  Add("");
  EXPECT_THAT(Taken(), ElementsAre("(3 lines left out: more than 3 in a second)"));
  EXPECT_EQ(lines.look_at(), kNever);
  Add("7\n");
  EXPECT_THAT(Taken(), ElementsAre("7"));
}

TEST_F(OutputLinesTest, TheEndTellsWhatWasLeftOut) {
  Add("1\n2\n3\n4\nrest");
  Taken();
  lines.Finish(sink);
  EXPECT_THAT(Taken(), ElementsAre("(1 lines left out: more than 3 in a second)", "rest"));
}

}  // namespace
}  // namespace headrace::worker
