// Gives memory that was freed back to the kernel.
#ifndef HEADRACE_BASE_FREE_MEMORY_H_
#define HEADRACE_BASE_FREE_MEMORY_H_

namespace headrace {

// The heap keeps what is freed in the middle of it, which is most of what a model leaves behind.
// Walks all of the heap's arenas and holds the lock of each meanwhile: for the end of a model, not
// for the request path. Thread-safe. Does nothing where the allocator is not glibc's.
void ReleaseFreeMemory();

}  // namespace headrace

#endif  // HEADRACE_BASE_FREE_MEMORY_H_
