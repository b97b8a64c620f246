#include "tune/configuration.h"

#include <fmt/format.h>

#include <cmath>

namespace headrace::tune {
namespace {

std::string Plural(int count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

std::string Describe(const Shape& shape) {
  const std::string instances = Plural(shape.instances, "instance");
  return shape.threads == 0 ? instances : instances + " x " + Plural(shape.threads, "thread");
}

std::string Describe(const Configuration& configuration) {
  if (configuration.as_found) {
    return "as it was found";
  }
  std::string text = configuration.variant.empty() ? "" : configuration.variant + ", ";
  text += Describe(configuration.shape);
  if (configuration.batch_max > 1) {
    text += fmt::format(", batch {}, delay {}", configuration.batch_max,
                        configuration.delay == 0 ? "0" : DurationText(configuration.delay));
  } else {
    text += ", no batching";
  }
  return text;
}

std::string RateText(double rate) {
  if (rate < 100) {
    return fmt::format("{:.1f}/s", rate);
  }
  std::string digits = fmt::format("{:.0f}", std::round(rate));
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits + "/s";
}

}  // namespace headrace::tune
