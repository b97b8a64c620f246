#include "cli/top.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "bench/suite_addresses.h"
#include "cli/interrupt.h"
#include "load/server_control.h"
#include "top/reading.h"
#include "top/rows.h"
#include "top/screen.h"
#include "top/terminal.h"

namespace headrace::cli {
namespace {

constexpr int kUsageError = 1;
constexpr int kFailed = 2;

struct Flags {
  std::string address = "127.0.0.1:8000", metrics_url, sort = "rate";
  double interval_s = 1;
  bool once = false, json = false;
};

int Fail(int code, const Status& status) {
  fmt::print(stderr, "headrace top: {}\n", status.message());
  return code;
}

std::optional<int> Parse(const std::vector<std::string>& arguments, Flags& flags) {
  CLI::App app("Shows what the models of a running server do: any server that speaks v2 over HTTP.",
               "headrace top");
  app.add_option("ADDRESS", flags.address,
                 "host:port, https://host:port or unix:PATH (127.0.0.1:8000)");
  app.add_option("-u,--url", flags.address, "the same");
  app.add_option("--metrics-url", flags.metrics_url, "its metrics page (the same host at 8002)");
  app.add_option("--sort", flags.sort,
                 "name, rate, latency, queue, pending, batch, busy or failures (rate)");
  app.add_option("--interval", flags.interval_s, "seconds between two looks (1)")
      ->check(CLI::Range(0.05, 3600.0));
  app.add_flag("--once", flags.once, "two looks, one interval apart, and a table");
  app.add_flag("--json", flags.json, "with --once: one JSON object");
  app.footer(
      "LATENCY and QUEUE are means of a request; EXEC50, EXEC99 and QUEUE99 percentiles from the\n"
      "server's histograms, or a mean marked ~ where it has none. BUSY: instances at work, of "
      "all.\n"
      "Keys: q quit, s sort by the next column, arrows and page keys scroll.");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  return std::nullopt;
}

class TopCommand {
 public:
  TopCommand(const Flags& flags, top::SortKey sort) : flags_(flags) {
    screen_.address = flags.address;
    screen_.interval_s = flags.interval_s;
    screen_.sort = sort;
  }

  Status Connect() {
    load::ControlSpec spec;
    HEADRACE_RETURN_IF_ERROR(
        bench::SetAddress(flags_.address, load::Protocol::kV2Http, spec.target));
    spec.target.request_timeout = 10 * kSecond;
    spec.metrics_url = flags_.metrics_url;
    HEADRACE_ASSIGN_OR_RETURN(control_, load::MakeServerControl(spec));
    return OkStatus();
  }

  int Once() {
    const Interrupt interrupt;
    const Status first = Look();
    if (!first.ok()) {
      return Fail(kFailed, first);
    }
    for (const Nanos until = clock_.Now() + interval();
         clock_.Now() < until && !interrupt.flag();) {
      ::usleep(static_cast<useconds_t>(
          std::clamp<Nanos>((until - clock_.Now()) / kMicrosecond, 1, 50'000)));
    }
    if (interrupt.flag()) {
      return 130;
    }
    if (const Status second = Look(); !second.ok()) {
      return Fail(kFailed, second);
    }
    fmt::print("{}{}", flags_.json ? top::TableJson(screen_) : top::TableText(screen_),
               flags_.json ? "\n" : "");
    return 0;
  }

  int Watch() {
    const Interrupt interrupt;
    const char* no_color = std::getenv("NO_COLOR");
    screen_.color = no_color == nullptr || *no_color == '\0';
    top::Terminal terminal;
    Nanos next = 0;
    while (!interrupt.flag()) {
      if (clock_.Now() >= next) {
        Note(Look());
        next = clock_.Now() + interval();
      }
      top::Terminal::Size(screen_.width, screen_.height);
      terminal.Show(top::Paint(screen_));
      // Short waits, so that a new size of the window is seen soon.
      for (const top::Key key :
           top::ReadKeys(terminal.Wait(std::min(next - clock_.Now(), 250 * kMillisecond)))) {
        if (!top::PressKey(key, screen_)) {
          return 0;
        }
      }
    }
    return 0;
  }

 private:
  Nanos interval() const { return static_cast<Nanos>(flags_.interval_s * kSecond); }

  Status Look() {
    HEADRACE_ASSIGN_OR_RETURN(top::Reading reading, top::Read(*control_, clock_));
    screen_.server = reading.server;
    screen_.rows = top::RowsBetween(last_ ? &*last_ : nullptr, reading);
    top::SortRows(screen_.rows, screen_.sort);
    top::PressKey(top::Key::kNone, screen_);  // fewer rows: the first one shown may be gone
    last_ = std::move(reading);
    return OkStatus();
  }

  // A server that went away leaves its last rows; the next one begins anew.
  void Note(const Status& status) {
    screen_.trouble = status.ok() ? "" : status.message();
    if (status.ok()) {
      gone_at_.reset();
      return;
    }
    gone_at_ = gone_at_.value_or(clock_.Now());
    screen_.trouble_s = static_cast<double>(clock_.Now() - *gone_at_) / kSecond;
    last_.reset();
  }

  const Flags& flags_;
  const Clock& clock_ = Clock::Real();
  std::unique_ptr<load::ServerControl> control_;
  top::Screen screen_;
  std::optional<top::Reading> last_;
  std::optional<Nanos> gone_at_;
};

}  // namespace

int Top(const std::vector<std::string>& arguments) {
  Flags flags;
  if (const std::optional<int> code = Parse(arguments, flags)) {
    return *code;
  }
  const auto sort = top::ParseSortKey(flags.sort);
  if (!sort.ok()) {
    return Fail(kUsageError, sort.status());
  }
  if (flags.json && !flags.once) {
    return Fail(kUsageError, InvalidArgument("--json goes with --once"));
  }
  TopCommand command(flags, *sort);
  if (const Status status = command.Connect(); !status.ok()) {
    return Fail(kUsageError, status);
  }
  if (!flags.once && (::isatty(STDOUT_FILENO) == 0 || ::isatty(STDIN_FILENO) == 0)) {
    return Fail(kUsageError, InvalidArgument("this is no terminal; --once prints a table"));
  }
  return flags.once ? command.Once() : command.Watch();
}

}  // namespace headrace::cli
