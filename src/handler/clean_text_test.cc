#include "handler/clean_text.h"

#include <gtest/gtest.h>

#include <string>

namespace headrace::handler {
namespace {

// python/tests/test_ts_package.py has the same table: what TorchServe 0.12 makes of them.
TEST(CleanTextTest, CleanText_LeavesTheWordsThatTorchServeFinds) {
  const std::pair<std::string, const char*> table[] = {
      {"<b>Can't</b> stop", "cannot stop"},
      {"They've won, haven't they?", "they have won have not they"},
      {"They\xe2\x80\x99ve won", "theyve won"},
      {"I'd've said: he'd've, y'all'd", "i wouldve said he wouldve you alld"},
      {"ain't 'cause so's WON'T sha'n't", "as not ecause so as will not shall not"},
      {"how'd'y where'd there'd the's", "how didy where did there would the is"},
      {"Caf\xc3\xa9 &amp; na\xc3\xafve_co", "cafe naiveco"},
      {"&lt;b&gt; &AMP; &#39; &#x27; &#x2F; &#1234567; & ;", "b amp x2f 1234567"},
      {"a<b>c 3 < 4 <i\n> 5 > 4", "ac 3 4 i 5 4"},
      {"one<br />two well-known 3.5% e-mail@x.y", "onetwo wellknown 35 emailxy"},
      {"a\xc2\xa0"
       "b\xe3\x80\x80"
       "c\xe2\x80\xa8"
       "d\te\x1f"
       "f",
       "a b cd e f"},
      {"\xef\xac\x81ne \xf0\x9d\x90\x80\xf0\x9d\x90\x81 \xe2\x84\xa2 \xc2\xbd \xc4\xb0x "
       "\xe2\x84\xaa \xef\xbc\xa1\xef\xbc\xa2",
       "fine ab tm 12 ix k ab"},
      {"\xc3\x9f \xce\xa3 \xf0\x9f\x98\x80 \xe4\xb8\xad\xe6\x96\x87", ""},
      {"'' \"\" ...", ""},
      {"", ""},
  };
  for (const auto& [text, expected] : table) {
    EXPECT_EQ(CleanText(text), expected) << text;
  }
}

TEST(CleanTextTest, CleanText_ReadsMarkupThatNeverEndsOnce) {
  std::string text;
  for (int i = 0; i < 500'000; ++i) {
    text += "<&";
  }
  EXPECT_EQ(CleanText(text + "end"), "end");
}

}  // namespace
}  // namespace headrace::handler
