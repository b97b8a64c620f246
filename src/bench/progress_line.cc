#include "bench/progress_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "bench/verdict.h"

namespace headrace::bench {
namespace {

// Between lines where nothing is painted.
constexpr Nanos kPlainInterval = 2 * kSecond;
constexpr std::size_t kSparklineMax = 24;

std::string_view PhaseName(Progress::Phase phase) {
  switch (phase) {
    case Progress::Phase::kConnect:
      return "connect";
    case Progress::Phase::kWarmup:
      return "warm-up";
    case Progress::Phase::kMeasure:
      return "measure";
    case Progress::Phase::kDrain:
      return "drain";
  }
  return "";
}

std::size_t Width(std::FILE* stream) {
  winsize size{};
  constexpr std::size_t kDefault = 80;
  return ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                              : kDefault;
}

}  // namespace

std::string Sparkline(const std::vector<double>& values) {
  constexpr const char* kHeights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double top = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  std::string line;
  for (const double value : values) {
    const double height = top > 0 ? value / top * (std::size(kHeights) - 1) : 0;
    line += kHeights[static_cast<std::size_t>(std::clamp(height + 0.5, 0.0, 7.0))];
  }
  return line;
}

std::string ProgressText(std::string_view what, const Progress& progress) {
  std::string text = fmt::format("{}: {}", what, PhaseName(progress.phase));
  if (progress.phase == Progress::Phase::kConnect) {
    return text;
  }
  text += fmt::format("  {:.1f}", static_cast<double>(progress.elapsed) * 1e-9);
  if (progress.expected > 0 && progress.expected != kNever) {
    text += fmt::format("/{:.1f}", static_cast<double>(progress.expected) * 1e-9);
  }
  text += " s";
  if (progress.phase == Progress::Phase::kMeasure) {
    text += fmt::format("  {}/s  p99 {}  {} failed", NumberText(progress.rate),
                        DurationText(static_cast<double>(progress.p99)), progress.failures);
  }
  return text;
}

ProgressLine::ProgressLine(std::FILE* stream, bool enabled) : stream_(stream), enabled_(enabled) {
  const char* const term = std::getenv("TERM");
  terminal_ =
      ::isatty(::fileno(stream)) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

void ProgressLine::Show(std::string_view what, const Progress& progress) {
  if (!enabled_) {
    return;
  }
  std::string text = ProgressText(what, progress);
  const Nanos now = Clock::Real().Now();
  if (!terminal_) {
    if (progress.phase == Progress::Phase::kMeasure && now - said_at_ >= kPlainInterval) {
      said_at_ = now;
      Say(text);
    }
    return;
  }
  if (progress.phase == Progress::Phase::kMeasure && progress.elapsed > 0) {
    rates_.push_back(progress.rate);
    if (rates_.size() > kSparklineMax) {
      rates_.erase(rates_.begin());
    }
  } else {
    rates_.clear();
  }
  const std::size_t width = Width(stream_);
  text = text.substr(0, width > 0 ? width - 1 : 0);
  if (text.size() + 2 + rates_.size() < width) {
    text += "  " + Sparkline(rates_);
  }
  fmt::print(stream_, "\r\x1b[2K{}", text);
  std::fflush(stream_);
  painted_ = true;
}

void ProgressLine::Clear() {
  if (painted_) {
    fmt::print(stream_, "\r\x1b[2K");
    std::fflush(stream_);
    painted_ = false;
  }
}

void ProgressLine::Say(std::string_view line) {
  if (!enabled_) {
    return;
  }
  Clear();
  fmt::print(stream_, "{}\n", line);
  std::fflush(stream_);
}

}  // namespace headrace::bench
