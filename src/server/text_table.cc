#include "server/text_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::server {
namespace {

std::string Rule(const std::vector<std::size_t>& widths) {
  std::string line = "+";
  for (const std::size_t width : widths) {
    line += std::string(width + 2, '-') + "+";
  }
  return line + "\n";
}

}  // namespace

std::string DrawTable(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) {
    return {};
  }
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  const std::string rule = Rule(widths);
  std::string table = rule;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    table += "|";
    for (std::size_t i = 0; i < widths.size(); ++i) {
      table += fmt::format(" {:<{}} |", i < rows[r].size() ? rows[r][i] : "", widths[i]);
    }
    table += r == 0 ? "\n" + rule : "\n";
  }
  return table + rule;
}

}  // namespace headrace::server
