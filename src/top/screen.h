// The screen of `headrace top` as text. Pure.
#ifndef HEADRACE_TOP_SCREEN_H_
#define HEADRACE_TOP_SCREEN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "top/rows.h"

namespace headrace::top {

struct Screen {
  std::string address, server;
  double interval_s = 1;
  std::string trouble;   // why there is no newer reading; "" = there is
  double trouble_s = 0;  // for how long
  std::vector<ModelRow> rows;
  SortKey sort = SortKey::kRate;
  std::size_t first = 0;  // the row that is shown first
  std::size_t width = 80, height = 24;
  bool color = false;
};

// Lines of at most `width` columns, `height` of them at most, each ended by a line feed but the
// last one. Columns that do not fit are left out, the least important first.
std::string Paint(const Screen& screen);

// All rows, without colour or cut: for --once.
std::string TableText(const Screen& screen);
// {"server": ..., "address": ..., "models": [{...}]}; figures that are not known are null. Times in
// milliseconds.
std::string TableJson(const Screen& screen);

// What a key does to the screen; false for those that end the program (q, Ctrl-C, Escape).
enum class Key : std::uint8_t { kNone, kUp, kDown, kPageUp, kPageDown, kHome, kSort, kQuit };
bool PressKey(Key key, Screen& screen);
// The keys of what a terminal sent.
std::vector<Key> ReadKeys(const std::string& bytes);

}  // namespace headrace::top

#endif  // HEADRACE_TOP_SCREEN_H_
