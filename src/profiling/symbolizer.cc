#include "profiling/symbolizer.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

namespace headrace::profiling {
namespace {

bool ParseHex(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc() && end == text.data() + text.size();
}

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

constexpr std::string_view kAnonymous = "(anonymous namespace)::";
constexpr std::string_view kOperator = "operator";

// Takes a demangled name apart from left to right.
class Shortener {
 public:
  explicit Shortener(std::string_view name) : rest_(name) {}

  std::string Text() {
    while (!rest_.empty() && Step()) {
    }
    return std::move(text_);
  }

 private:
  // False at the parameters, where the name ends.
  bool Step() {
    if (Skip(kAnonymous)) {
      return true;
    }
    if (depth_ == 0 && rest_.starts_with(kOperator)) {
      return Operator();
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '<') {
      ++depth_;
    } else if (c == '>') {
      --depth_;
    } else if (depth_ > 0) {
      return true;
    } else if (c == '(') {
      return false;
    } else if (c == ' ') {
      text_.clear();  // what stood in front of it is the result
    } else {
      text_ += c;
    }
    return true;
  }

  // Up to its parameters; brackets in it are its name.
  bool Operator() {
    std::size_t end = rest_.find('(', kOperator.size());
    if (end == kOperator.size()) {
      end = rest_.find('(', end + 1);  // of "operator()"
    }
    text_ += rest_.substr(0, end);
    rest_ = {};
    return false;
  }

  bool Skip(std::string_view word) {
    if (!rest_.starts_with(word)) {
      return false;
    }
    rest_.remove_prefix(word.size());
    return true;
  }

  std::string_view rest_;
  std::string text_;
  int depth_ = 0;
};

}  // namespace

std::string ShortFunctionName(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  std::string name =
      demangled != nullptr && symbol.starts_with("_Z") ? Shortener(demangled.get()).Text() : symbol;
  if (name.empty()) {
    name = symbol;
  }
  name.resize(std::min(name.size(), kNameByteSizeMax));
  return name;
}

Symbolizer::Symbolizer(const std::string& maps_path) {
  std::ifstream file(maps_path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string range, access, offset, device, inode, path;
    fields >> range >> access >> offset >> device >> inode;
    std::getline(fields >> std::ws, path);
    const std::size_t dash = range.find('-');
    Mapping mapping{.start = 0, .end = 0, .offset = 0, .path = std::move(path)};
    if (access.find('x') != std::string::npos && dash != std::string::npos &&
        ParseHex(std::string_view(range).substr(0, dash), mapping.start) &&
        ParseHex(std::string_view(range).substr(dash + 1), mapping.end) &&
        ParseHex(offset, mapping.offset)) {
      mappings_.push_back(std::move(mapping));
    }
  }
}

CodePlace Symbolizer::Find(std::uint64_t address) {
  const auto next = std::upper_bound(
      mappings_.begin(), mappings_.end(), address,
      [](std::uint64_t wanted, const Mapping& mapping) { return wanted < mapping.start; });
  if (next == mappings_.begin() || address >= (next - 1)->end) {
    return {.function = "[unknown]"};
  }
  const Mapping& mapping = *(next - 1);
  if (mapping.path.starts_with("[vdso")) {
    return {.function = "[vdso]"};
  }
  if (!mapping.path.starts_with('/')) {
    return {.function = "[generated code]"};
  }
  const auto [known, is_new] = files_.try_emplace(mapping.path);
  if (is_new) {
    if (Result<ElfFunctions> functions = ElfFunctions::Read(mapping.path); functions.ok()) {
      known->second = *std::move(functions);
    }
  }
  const std::string module = FileName(mapping.path);
  const std::uint64_t offset = address - mapping.start + mapping.offset;
  const auto place = known->second ? known->second->AddressAt(offset) : std::nullopt;
  const auto function = place ? known->second->At(*place) : std::nullopt;
  if (!function) {
    // Of a file that was generated (memfd) or removed meanwhile nothing more can be said.
    return {.function = "[" + module + "]", .module = module};
  }
  if (function->symbol.empty()) {
    return {.function = fmt::format("{}+{:#x}", module, function->start), .module = module};
  }
  auto name = names_.find(function->symbol);
  if (name == names_.end()) {
    std::string symbol(function->symbol);
    std::string shortened = ShortFunctionName(symbol);
    name = names_.emplace(std::move(symbol), std::move(shortened)).first;
  }
  return {.function = name->second, .module = module};
}

}  // namespace headrace::profiling
