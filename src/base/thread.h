// What a thread is called, and on which processors it runs.
#ifndef HEADRACE_BASE_THREAD_H_
#define HEADRACE_BASE_THREAD_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace {

// Numbers of processors: ascending, each once.
using CpuList = std::vector<int>;

// Names the calling thread as `ps -L` and `top -H` show it; the kernel keeps the first 15 bytes.
void SetThreadName(std::string_view name);

// Lets the calling thread (and those that it starts later) run on `cpus` only. INVALID_ARGUMENT for
// an empty list or numbers that this machine or its container does not give us.
Status PinThread(std::span<const int> cpus);

// The processors on which the calling thread may run: what a container was given, not what the
// machine has. At least one.
CpuList AvailableCpus();

// Makes the calling thread (and those that it starts later) prefer memory of a NUMA node; -1: the
// node that it runs on. It gets other memory where that node has none. UNAVAILABLE where the kernel
// or the container does not allow it.
Status PreferMemoryOfNode(int node);

// "0-3,5" to {0,1,2,3,5}: decimal numbers and ascending ranges, no blanks (contracts, Triton 7.2,
// `cpu-cores`). INVALID_ARGUMENT for anything else, for repeated numbers, and for numbers from 8192
// on.
Result<CpuList> ParseCpuList(std::string_view text);

// The shortest text from which ParseCpuList gives `cpus` back.
std::string FormatCpuList(std::span<const int> cpus);

}  // namespace headrace

#endif  // HEADRACE_BASE_THREAD_H_
