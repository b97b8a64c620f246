#include "tracing/trace_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace headrace::tracing {
namespace {

constexpr std::size_t kTraceparentSize = 55;

template <typename Number>
bool ParseHex(std::string_view text, Number& value) {
  // Upper case is not allowed.
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  return plain &&
         std::from_chars(text.data(), text.data() + text.size(), value, 16).ec == std::errc();
}

}  // namespace

std::optional<SpanContext> SpanContext::Parse(std::string_view traceparent) {
  SpanContext context;
  std::uint8_t version = 0;
  std::uint8_t flags = 0;
  // A version after 00 may have more behind these parts.
  if (traceparent.size() < kTraceparentSize || traceparent[2] != '-' || traceparent[35] != '-' ||
      traceparent[52] != '-' || !ParseHex(traceparent.substr(0, 2), version) || version == 0xff ||
      (traceparent.size() > kTraceparentSize &&
       (version == 0 || traceparent[kTraceparentSize] != '-')) ||
      !ParseHex(traceparent.substr(53, 2), flags)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < context.trace_id.size(); ++i) {
    if (!ParseHex(traceparent.substr(3 + 2 * i, 2), context.trace_id[i])) {
      return std::nullopt;
    }
  }
  const bool zero = std::all_of(context.trace_id.begin(), context.trace_id.end(),
                                [](std::uint8_t byte) { return byte == 0; });
  if (zero || !ParseHex(traceparent.substr(36, 16), context.span_id) || context.span_id == 0) {
    return std::nullopt;
  }
  return context;
}

std::string SpanContext::TraceIdText() const {
  return fmt::format("{:02x}", fmt::join(trace_id, ""));
}

std::string SpanIdText(std::uint64_t span_id) { return fmt::format("{:016x}", span_id); }

std::string SpanContext::Text() const {
  return fmt::format("00-{}-{}-01", TraceIdText(), SpanIdText(span_id));
}

}  // namespace headrace::tracing
