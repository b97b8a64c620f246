#include "net/tls_client_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string_view>
#include <utility>

#include "net/tls_session.h"
#include "net/tls_socket.h"

namespace headrace::net {
namespace {

std::string LastError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason != nullptr ? reason : "it is no PEM file of that kind";
}

bool IsNumericAddress(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address) == 1;
}

Status UseFiles(SSL_CTX* context, const TlsClientOptions& options) {
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    return InvalidArgument("the root certificates '{}' cannot be used: {}", options.ca_file,
                           LastError());
  }
  if (options.certificate_file.empty()) {
    return OkStatus();
  }
  const std::string& key = options.key_file.empty() ? options.certificate_file : options.key_file;
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    return InvalidArgument("the client certificate '{}' cannot be used: {}",
                           options.certificate_file, LastError());
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return InvalidArgument("the client key '{}' cannot be used: {}", key, LastError());
  }
  return OkStatus();
}

}  // namespace

TlsClientContext::TlsClientContext(TlsClientOptions options, std::shared_ptr<void> context)
    : options_(std::move(options)), context_(std::move(context)) {}

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::Create(TlsClientOptions options) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (context == nullptr) {
    return Unavailable("TLS cannot be used: {}", LastError());
  }
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  HEADRACE_RETURN_IF_ERROR(UseFiles(context.get(), options));
  SSL_CTX_set_verify(context.get(), options.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     nullptr);
  std::string protocols;  // each behind its length
  for (const std::string& name : options.protocols) {
    protocols += static_cast<char>(name.size());
    protocols += name;
  }
  SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned int>(protocols.size()));
  return std::shared_ptr<const TlsClientContext>(
      new TlsClientContext(std::move(options), std::move(context)));
}

std::unique_ptr<TlsSession> TlsClientContext::NewSession(int fd) const {
  SSL* ssl = SSL_new(static_cast<SSL_CTX*>(context_.get()));
  if (ssl == nullptr || !BindToSocket(ssl, fd)) {
    SSL_free(ssl);
    ERR_clear_error();
    return nullptr;
  }
  SSL_set_connect_state(ssl);
  const std::string& name = options_.server_name;
  const bool numeric = IsNumericAddress(name);
  if (!numeric && !name.empty()) {
    SSL_set_tlsext_host_name(ssl, name.c_str());
  }
  if (options_.verify_peer && options_.verify_host) {
    const bool set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1
                             : SSL_set1_host(ssl, name.c_str()) == 1;
    if (!set) {
      SSL_free(ssl);
      ERR_clear_error();
      return nullptr;
    }
  }
  return std::make_unique<TlsSession>(ssl, context_);
}

}  // namespace headrace::net
