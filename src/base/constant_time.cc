#include "base/constant_time.h"

#include <cstddef>

namespace headrace {

bool EqualInConstantTime(std::string_view secret, std::string_view given) {
  if (secret.size() != given.size()) {
    return false;
  }
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (secret[i] ^ given[i]));
  }
  return difference == 0;
}

}  // namespace headrace
