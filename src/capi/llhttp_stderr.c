/* See cmake/Dependencies.cmake: what llhttp's function for debugging, which nobody calls, would write to. */
#include <stdio.h>

__attribute__((visibility("hidden"))) FILE* headrace_llhttp_stderr = NULL;
