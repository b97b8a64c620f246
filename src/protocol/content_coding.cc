// The header side of compression.h: which coding a message has or may have.
#include <cstddef>

#include "base/ascii.h"
#include "protocol/compression.h"

namespace headrace::protocol {
namespace {

// Takes what stands before the next `separator` off `text`.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return TrimBlanks(part);
}

std::optional<ContentCoding> CodingOf(std::string_view name) {
  if (EqualsIgnoringCase(name, "identity")) {
    return ContentCoding::kIdentity;
  }
  if (EqualsIgnoringCase(name, "gzip")) {
    return ContentCoding::kGzip;
  }
  if (EqualsIgnoringCase(name, "deflate")) {
    return ContentCoding::kDeflate;
  }
  return std::nullopt;
}

// A weight in thousandths: "0", "1", "0.25", "1.000"; nothing for other texts.
std::optional<int> ParseWeight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') ||
      (text.size() > 1 && text[1] != '.')) {
    return std::nullopt;
  }
  int weight = (text[0] - '0') * 1000;
  int unit = 100;
  for (const char c : text.substr(text.size() > 1 ? 2 : 1)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

// The q of the parameters behind a coding's name; 1000 when there is none, 0 (not wanted) when it
// is damaged.
int WeightOf(std::string_view parameters) {
  int weight = 1000;
  while (!parameters.empty()) {
    std::string_view value = TakeUntil(parameters, ';');
    const std::string_view name = TakeUntil(value, '=');
    if (EqualsIgnoringCase(name, "q")) {
      weight = ParseWeight(TrimBlanks(value)).value_or(0);
    }
  }
  return weight;
}

}  // namespace

Result<ContentCoding> ParseContentEncoding(std::string_view value) {
  value = TrimBlanks(value);
  if (value.empty()) {
    return ContentCoding::kIdentity;
  }
  const auto coding = CodingOf(value);
  if (!coding) {
    return Unimplemented("Unsupported compression type");
  }
  return *coding;
}

ContentCoding ChooseResponseCoding(std::string_view accept_encoding) {
  ContentCoding best = ContentCoding::kIdentity;
  int best_weight = 0;
  int identity_weight = 0;
  while (!accept_encoding.empty()) {
    std::string_view entry = TakeUntil(accept_encoding, ',');
    const auto coding = CodingOf(TakeUntil(entry, ';'));
    if (!coding) {
      continue;
    }
    const int weight = WeightOf(entry);
    if (*coding == ContentCoding::kIdentity) {
      identity_weight = weight;
    } else if (weight > best_weight) {
      best = *coding;
      best_weight = weight;
    }
  }
  return identity_weight > best_weight ? ContentCoding::kIdentity : best;
}

}  // namespace headrace::protocol
