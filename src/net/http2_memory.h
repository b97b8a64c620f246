// Where nghttp2 gets its memory: eight small pieces for each stream, from the loop's own stock.
#ifndef HEADRACE_NET_HTTP2_MEMORY_H_
#define HEADRACE_NET_HTTP2_MEMORY_H_

#include <nghttp2/nghttp2.h>

namespace headrace::net {

// To be given to a session as it is made; copied by it. Any thread.
nghttp2_mem* Http2Memory();

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_MEMORY_H_
