#include "top/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bench/svg_axis.h"
#include "bench/verdict.h"
#include "protocol/json_writer.h"

namespace headrace::top {
namespace {

constexpr std::size_t kHeadLines = 3;  // server, legend, header
constexpr std::size_t kModelWidthMin = 12, kModelWidthMax = 40;

std::size_t Letters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// The first `width` letters.
std::string Cut(const std::string& text, std::size_t width) {
  std::size_t letters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    letters += (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 ? 1 : 0;
    if (letters > width) {
      return text.substr(0, i);
    }
  }
  return text;
}

// Names come from the server: nothing of them may steer the terminal.
std::string Printable(const std::string& text) {
  std::string clean;
  for (const char c : text) {
    clean += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return clean;
}

std::string Left(const std::string& text, std::size_t width) {
  const std::string cut = Letters(text) > width ? Cut(text, width - 1) + "\u2026" : text;
  return cut + std::string(width - std::min(width, Letters(cut)), ' ');
}

std::string Right(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, Letters(text)), ' ') + Cut(text, width);
}

std::string Time(const std::optional<double>& nanos) { return nanos ? DurationText(*nanos) : "-"; }
std::string Number(const std::optional<double>& value) {
  return value ? bench::FigureText(*value) : "-";
}
std::string Rounded(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : "-";
}

// Nothing on the server tells percentiles of requests.
bool MeanForMedian(const ModelRow& row) { return !row.latency_p50 && row.latency_mean; }

struct Column {
  const char* name;
  std::size_t width;
  int importance;  // the lowest go first
  std::function<std::string(const ModelRow&)> text;
};

const std::vector<Column>& AllColumns() {
  static const std::vector<Column> kColumns = {
      {"REQ/S", 8, 10, [](const ModelRow& row) { return bench::FigureText(row.rate); }},
      {"P50", 9, 9,
       [](const ModelRow& row) {
         return MeanForMedian(row) ? "~" + Time(row.latency_mean) : Time(row.latency_p50);
       }},
      {"P99", 9, 9, [](const ModelRow& row) { return Time(row.latency_p99); }},
      {"MEAN", 9, 2, [](const ModelRow& row) { return Time(row.latency_mean); }},
      {"QUEUE", 9, 7, [](const ModelRow& row) { return Time(row.queue_mean); }},
      {"QUEUE99", 9, 2, [](const ModelRow& row) { return Time(row.queue_p99); }},
      {"EXEC50", 9, 3,
       [](const ModelRow& row) {
         return row.execute_mean ? "~" + Time(row.execute_mean) : Time(row.execute_p50);
       }},
      {"EXEC99", 9, 4, [](const ModelRow& row) { return Time(row.execute_p99); }},
      {"PENDING", 8, 5, [](const ModelRow& row) { return Number(row.pending); }},
      {"BATCH", 6, 6, [](const ModelRow& row) { return Rounded(row.batch_mean); }},
      {"BUSY", 8, 6,
       [](const ModelRow& row) {
         return row.busy ? (row.busy_estimated ? "~" : "") + Rounded(row.busy) +
                               (row.instances ? "/" + Number(row.instances) : "")
                         : "-";
       }},
      {"FAIL/S", 8, 8, [](const ModelRow& row) { return bench::FigureText(row.failure_rate); }},
  };
  return kColumns;
}

struct Layout {
  std::size_t model_width = 0;
  std::vector<const Column*> columns;
};

Layout LayOut(const Screen& screen, std::size_t width) {
  Layout layout;
  layout.model_width = kModelWidthMin;
  for (const ModelRow& row : screen.rows) {
    layout.model_width = std::max(layout.model_width, Letters(row.model));
  }
  layout.model_width = std::min(layout.model_width, kModelWidthMax);
  std::size_t total = layout.model_width;
  for (const Column& column : AllColumns()) {
    layout.columns.push_back(&column);
    total += column.width + 1;
  }
  while (total > width && !layout.columns.empty()) {
    const auto least = std::min_element(
        layout.columns.begin(), layout.columns.end(),
        [](const Column* a, const Column* b) { return a->importance < b->importance; });
    total -= (*least)->width + 1;
    layout.columns.erase(least);
  }
  layout.model_width = std::min(layout.model_width, std::max<std::size_t>(1, width));
  return layout;
}

std::string HeaderLine(const Layout& layout) {
  std::string line = Left("MODEL", layout.model_width);
  for (const Column* column : layout.columns) {
    line += ' ' + Right(column->name, column->width);
  }
  return line;
}

std::string RowLine(const ModelRow& row, const Layout& layout) {
  std::string line = Left(Printable(row.model), layout.model_width);
  if (!row.state.empty()) {
    return line + ' ' + Printable(row.state);
  }
  for (const Column* column : layout.columns) {
    line += ' ' + Right(column->text(row), column->width);
  }
  return line;
}

bool AnyEstimated(const std::vector<ModelRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const ModelRow& row) {
    return row.busy_estimated || row.execute_mean.has_value() || MeanForMedian(row);
  });
}

std::string TitleLine(const Screen& screen) {
  double rate = 0, failures = 0;
  for (const ModelRow& row : screen.rows) {
    rate += row.rate;
    failures += row.failure_rate;
  }
  if (!screen.trouble.empty()) {
    return fmt::format("headrace top  {}  gone for {:.0f} s, looking again: {}", screen.address,
                       screen.trouble_s, Printable(screen.trouble));
  }
  return fmt::format("headrace top  {}  {}  {} models  {} req/s  {} failed/s", screen.address,
                     Printable(screen.server), screen.rows.size(), bench::FigureText(rate),
                     bench::FigureText(failures));
}

std::string LegendLine(const Screen& screen) {
  return fmt::format("every {:g} s, by {}  q quit  s sort  arrows scroll{}", screen.interval_s,
                     SortKeyName(screen.sort),
                     AnyEstimated(screen.rows) ? "  ~ from means: no histograms here" : "");
}

std::string Styled(const std::string& line, const char* code, bool color) {
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", code, line) : line;
}

}  // namespace

std::string Paint(const Screen& screen) {
  const Layout layout = LayOut(screen, screen.width);
  std::vector<std::string> lines;
  lines.push_back(Styled(Cut(TitleLine(screen), screen.width),
                         screen.trouble.empty() ? "1" : "1;31", screen.color));
  lines.push_back(Styled(Cut(LegendLine(screen), screen.width), "2", screen.color));
  lines.push_back(
      Styled(Left(Cut(HeaderLine(layout), screen.width), screen.width), "7", screen.color));
  const std::size_t room = screen.height > kHeadLines ? screen.height - kHeadLines : 0;
  for (std::size_t i = screen.first; i < screen.rows.size() && i < screen.first + room; ++i) {
    const ModelRow& row = screen.rows[i];
    const bool bad = !row.state.empty() || row.failure_rate > 0;
    const std::string line = Cut(RowLine(row, layout), screen.width);
    lines.push_back(bad ? Styled(line, "31", screen.color) : line);
  }
  lines.resize(std::min(lines.size(), screen.height));
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string TableText(const Screen& screen) {
  const Layout layout = LayOut(screen, SIZE_MAX);
  std::string text = HeaderLine(layout) + '\n';
  for (const ModelRow& row : screen.rows) {
    text += RowLine(row, layout) + '\n';
  }
  return text + (AnyEstimated(screen.rows) ? "~ from means: this server has no histograms\n" : "");
}

std::string TableJson(const Screen& screen) {
  std::string text;
  protocol::JsonWriter json(text);
  json.BeginObject().Key("address").String(screen.address).Key("server").String(screen.server);
  json.Key("interval_s").Double(screen.interval_s).Key("models").BeginArray();
  for (const ModelRow& row : screen.rows) {
    const auto figure = [&](const char* key, const std::optional<double>& value, double factor) {
      json.Key(key).Double(value ? *value * factor : std::nan(""));
    };
    json.BeginObject().Key("model").String(row.model);
    json.Key("state").String(row.state.empty() ? "READY" : row.state);
    figure("requests_per_s", row.rate, 1);
    figure("inferences_per_s", row.inference_rate, 1);
    figure("failures_per_s", row.failure_rate, 1);
    figure("latency_p50_ms", row.latency_p50, 1e-6);
    figure("latency_p99_ms", row.latency_p99, 1e-6);
    figure("latency_mean_ms", row.latency_mean, 1e-6);
    figure("queue_mean_ms", row.queue_mean, 1e-6);
    figure("queue_p99_ms", row.queue_p99, 1e-6);
    figure("execute_p50_ms", row.execute_p50, 1e-6);
    figure("execute_p99_ms", row.execute_p99, 1e-6);
    figure("execute_mean_ms", row.execute_mean, 1e-6);
    figure("pending", row.pending, 1);
    figure("batch_mean", row.batch_mean, 1);
    figure("instances", row.instances, 1);
    figure("instances_busy", row.busy, 1);
    json.Key("busy_estimated").Bool(row.busy_estimated).EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

bool PressKey(Key key, Screen& screen) {
  const std::size_t page = screen.height > kHeadLines ? screen.height - kHeadLines : 1;
  const std::size_t last = screen.rows.size() > page ? screen.rows.size() - page : 0;
  switch (key) {
    case Key::kUp:
      screen.first -= std::min<std::size_t>(1, screen.first);
      break;
    case Key::kDown:
      ++screen.first;
      break;
    case Key::kPageUp:
      screen.first -= std::min(page, screen.first);
      break;
    case Key::kPageDown:
      screen.first += page;
      break;
    case Key::kHome:
      screen.first = 0;
      break;
    case Key::kSort:
      screen.sort = static_cast<SortKey>((static_cast<int>(screen.sort) + 1) % kSortKeyCount);
      SortRows(screen.rows, screen.sort);
      break;
    case Key::kQuit:
      return false;
    case Key::kNone:
      break;
  }
  screen.first = std::min(screen.first, last);
  return true;
}

std::vector<Key> ReadKeys(const std::string& bytes) {
  std::vector<Key> keys;
  constexpr std::pair<std::string_view, Key> kSequences[] = {
      {"\x1b[A", Key::kUp},   {"\x1b[B", Key::kDown},    {"\x1bOA", Key::kUp},
      {"\x1bOB", Key::kDown}, {"\x1b[5~", Key::kPageUp}, {"\x1b[6~", Key::kPageDown},
      {"\x1b[H", Key::kHome}, {"q", Key::kQuit},         {"Q", Key::kQuit},
      {"\x03", Key::kQuit},   {"s", Key::kSort},         {"k", Key::kUp},
      {"j", Key::kDown},
  };
  for (std::string_view rest = bytes; !rest.empty();) {
    std::size_t taken = 1;
    for (const auto& [sequence, key] : kSequences) {
      if (rest.starts_with(sequence)) {
        keys.push_back(key);
        taken = sequence.size();
        break;
      }
    }
    if (taken == 1 && rest.front() == '\x1b') {
      if (rest.size() == 1) {
        keys.push_back(Key::kQuit);  // Escape alone
      } else if (rest[1] == '[' || rest[1] == 'O') {
        // Another key's sequence ends with a letter or a tilde.
        taken = 2;
        while (taken < rest.size() && rest[taken] < '@') {
          ++taken;
        }
        taken = std::min(taken + 1, rest.size());
      }
    }
    rest.remove_prefix(taken);
  }
  return keys;
}

}  // namespace headrace::top
