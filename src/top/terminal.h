// The terminal while it belongs to `headrace top`.
#ifndef HEADRACE_TOP_TERMINAL_H_
#define HEADRACE_TOP_TERMINAL_H_

#include <termios.h>

#include <string>
#include <string_view>

#include "base/clock.h"

namespace headrace::top {

// Takes the alternate screen, and keys as they are pressed; gives both back at its end. One thread.
class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Waits for keys, `timeout` at most (a signal ends the wait, too), and returns their bytes.
  std::string Wait(Nanos timeout);
  void Show(std::string_view text);
  // The terminal's size now: it may change at any time.
  static void Size(std::size_t& width, std::size_t& height);

 private:
  termios before_{};
  bool changed_ = false;
};

}  // namespace headrace::top

#endif  // HEADRACE_TOP_TERMINAL_H_
