#include "base/free_memory.h"

#include <malloc.h>

namespace headrace {

void ReleaseFreeMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace headrace
