#include "net/tls_session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace headrace::net {
namespace {

// One TLS record carries at most this; pieces that are smaller are gathered into one.
constexpr std::size_t kRecordByteSize = 16 * 1024;

}  // namespace

TlsSession::TlsSession(ssl_st* ssl, std::shared_ptr<const void> context)
    : ssl_(ssl), context_(std::move(context)) {}

TlsSession::~TlsSession() { SSL_free(ssl_); }

TlsSession::Handshake TlsSession::ContinueHandshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    return Handshake::kDone;
  }
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    return Handshake::kWaits;
  }
  const unsigned long code = ERR_peek_error();
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) {
    failure_ = X509_verify_cert_error_string(verdict);
  } else if (code != 0) {
    const char* reason = ERR_reason_error_string(code);
    failure_ = reason != nullptr ? reason : "unknown TLS error";
  } else {
    failure_ = "the peer closed the connection";
  }
  broken_ = true;
  ERR_clear_error();
  return Handshake::kFailed;
}

std::string_view TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned int byte_size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &byte_size);
  return {reinterpret_cast<const char*>(name), byte_size};
}

ssize_t TlsSession::Outcome(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      // No alert may follow a fatal error (SSL_shutdown's manual).
      broken_ = true;
      ERR_clear_error();
      errno = ECONNRESET;
      return -1;
  }
}

ssize_t TlsSession::Receive(void* data, std::size_t byte_size) {
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_read_ex(ssl_, data, byte_size, &count);
  return result == 1 ? static_cast<ssize_t>(count) : Outcome(result);
}

ssize_t TlsSession::SendOne(const void* data, std::size_t byte_size) {
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_write_ex(ssl_, data, byte_size, &count);
  return result == 1 ? static_cast<ssize_t>(count) : Outcome(result);
}

// Record by record; small pieces share one. A record that the socket did not take whole is offered
// again with the same bytes, because callers offer the same bytes again.
ssize_t TlsSession::Send(std::span<const iovec> pieces) {
  std::array<char, kRecordByteSize> gathered;
  ssize_t total = 0;
  std::size_t index = 0;
  std::size_t offset = 0;  // of pieces[index] that is sent
  while (index < pieces.size()) {
    const auto* begin = static_cast<const char*>(pieces[index].iov_base) + offset;
    std::size_t byte_size = pieces[index].iov_len - offset;
    if (byte_size < kRecordByteSize && index + 1 < pieces.size()) {
      std::size_t used = 0;
      std::size_t skip = offset;
      for (std::size_t i = index; i < pieces.size() && used < gathered.size(); ++i, skip = 0) {
        const std::size_t part = std::min(pieces[i].iov_len - skip, gathered.size() - used);
        std::memcpy(gathered.data() + used, static_cast<const char*>(pieces[i].iov_base) + skip,
                    part);
        used += part;
      }
      begin = gathered.data();
      byte_size = used;
    }
    const ssize_t sent = byte_size == 0 ? 0 : SendOne(begin, byte_size);
    if (sent < 0 || (sent == 0 && byte_size != 0)) {
      return total > 0 && errno == EAGAIN ? total : -1;
    }
    total += sent;
    for (auto left = static_cast<std::size_t>(sent) + offset;;) {
      if (index == pieces.size() || left < pieces[index].iov_len) {
        offset = left;
        break;
      }
      left -= pieces[index++].iov_len;
    }
  }
  return total;
}

void TlsSession::SendCloseNotify() {
  if (!broken_) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
}

}  // namespace headrace::net
