#include "load/client_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

namespace headrace::load {
namespace {

std::string LastError() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown TLS error";
}

bool IsAddress(const std::string& host) {
  unsigned char address[16];
  return ::inet_pton(AF_INET, host.c_str(), address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address) == 1;
}

}  // namespace

Result<std::shared_ptr<const ClientTls>> ClientTls::Create(const TlsFiles& files,
                                                           std::string_view protocol) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (context == nullptr) {
    return ResourceExhausted("cannot set up TLS: {}", LastError());
  }
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_default_read_buffer_len(context.get(), 64 * 1024);
  if (files.verify_peer) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    const bool loaded = files.ca_file.empty()
                            ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                            : SSL_CTX_load_verify_file(context.get(), files.ca_file.c_str()) == 1;
    if (!loaded) {
      return InvalidArgument("the CA certificate '{}' cannot be used: {}", files.ca_file,
                             LastError());
    }
  }
  if (!files.certificate_file.empty() &&
      SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1) {
    return InvalidArgument("the client certificate '{}' cannot be used: {}", files.certificate_file,
                           LastError());
  }
  if (!files.key_file.empty() &&
      (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
       SSL_CTX_check_private_key(context.get()) != 1)) {
    return InvalidArgument("the client key '{}' cannot be used: {}", files.key_file, LastError());
  }
  if (!protocol.empty()) {
    const std::string list = static_cast<char>(protocol.size()) + std::string(protocol);
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned int>(list.size()));
  }
  return std::shared_ptr<const ClientTls>(
      new ClientTls(std::move(context), files.verify_peer && files.verify_host));
}

std::unique_ptr<net::TlsSession> ClientTls::NewSession(int fd, const std::string& host) const {
  SSL* const ssl = SSL_new(context_.get());
  if (ssl == nullptr || !net::UseSocket(ssl, fd)) {
    SSL_free(ssl);
    ERR_clear_error();
    return nullptr;
  }
  SSL_set_connect_state(ssl);
  if (IsAddress(host)) {
    if (verify_host_) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    }
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    if (verify_host_) {
      SSL_set1_host(ssl, host.c_str());
    }
  }
  return std::make_unique<net::TlsSession>(ssl, context_);
}

}  // namespace headrace::load
