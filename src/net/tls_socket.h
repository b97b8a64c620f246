// How OpenSSL reads and writes a socket of ours.
#ifndef HEADRACE_NET_TLS_SOCKET_H_
#define HEADRACE_NET_TLS_SOCKET_H_

struct ssl_st;

namespace headrace::net {

// `ssl` reads and writes `fd`, which is borrowed, without ever raising SIGPIPE. False: no memory.
bool BindToSocket(ssl_st* ssl, int fd);

}  // namespace headrace::net

#endif  // HEADRACE_NET_TLS_SOCKET_H_
