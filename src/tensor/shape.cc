#include "tensor/shape.h"

#include <fmt/format.h>

namespace headrace {

std::string Shape::ToString() const { return fmt::format("[{}]", fmt::join(dims(), ",")); }

}  // namespace headrace
