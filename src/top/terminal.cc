#include "top/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/write_all.h"

namespace headrace::top {
namespace {

void Write(std::string_view text) {
  // Where the terminal is gone, the next read of keys says so.
  static_cast<void>(WriteAll(STDOUT_FILENO, text));
}

}  // namespace

Terminal::Terminal() {
  if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  Write("\x1b[?1049h\x1b[?25l");
}

Terminal::~Terminal() {
  Write("\x1b[?25h\x1b[?1049l");
  if (changed_) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
}

std::string Terminal::Wait(Nanos timeout) {
  pollfd poll{STDIN_FILENO, POLLIN, 0};
  const int ms = static_cast<int>(std::clamp<Nanos>(timeout / kMillisecond, 0, 3'600'000));
  if (::poll(&poll, 1, ms) <= 0) {
    return "";
  }
  char bytes[256];
  const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
  if (count <= 0) {
    return "q";  // nobody can press a key any more
  }
  return std::string(bytes, static_cast<std::size_t>(count));
}

void Terminal::Show(std::string_view text) {
  std::string painted = "\x1b[H";
  for (const char c : text) {
    painted += c == '\n' ? std::string("\x1b[K\r\n") : std::string(1, c);
  }
  Write(painted + "\x1b[K\x1b[J");
}

void Terminal::Size(std::size_t& width, std::size_t& height) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    width = size.ws_col;
    height = size.ws_row;
  }
}

}  // namespace headrace::top
