#include "net/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/tls_keystore.h"
#include "net/tls_session.h"
#include "net/tls_socket.h"

namespace headrace::net {
namespace {

struct ContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPointer = std::unique_ptr<SSL_CTX, ContextDeleter>;

// What tells one state of a file from another; zeroes for one that cannot be looked at.
using FileStamp = std::array<std::int64_t, 5>;

FileStamp StampOf(const std::string& path) {
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) {
    return {};
  }
  return {static_cast<std::int64_t>(info.st_dev), static_cast<std::int64_t>(info.st_ino),
          static_cast<std::int64_t>(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

std::array<FileStamp, 4> Stamps(const TlsOptions& options) {
  return {StampOf(options.certificate_file), StampOf(options.key_file),
          StampOf(options.client_root_file), StampOf(options.keystore_file)};
}

std::string LastError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason != nullptr ? reason : "it is no PEM file of that kind";
}

Status CheckReadable(const std::string& path, std::string_view what) {
  if (path.empty()) {
    return InvalidArgument("TLS needs a {}; none is given", what);
  }
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                       &std::fclose);
  if (file == nullptr) {
    return InvalidArgument("cannot read the {} '{}': {}", what, path, std::strerror(errno));
  }
  return OkStatus();
}

// The key first: a certificate that does not fit it is then found by the check behind them.
Status UsePemFiles(SSL_CTX* context, const TlsOptions& options) {
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return InvalidArgument("the server key '{}' cannot be used: {}", options.key_file, LastError());
  }
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    return InvalidArgument("the server certificate '{}' cannot be used: {}",
                           options.certificate_file, LastError());
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return InvalidArgument("the server key '{}' does not belong to the certificate '{}'",
                           options.key_file, options.certificate_file);
  }
  return OkStatus();
}

// The first of the server's protocols that the client offers; none: the connection goes on without.
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_byte_size,
                   const unsigned char* offered, unsigned int offered_byte_size, void* argument) {
  for (const std::string& wanted : *static_cast<const std::vector<std::string>*>(argument)) {
    for (unsigned int at = 0; at < offered_byte_size && at + 1 + offered[at] <= offered_byte_size;
         at += 1 + offered[at]) {
      const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
      if (name == wanted) {
        *out = offered + at + 1;
        *out_byte_size = offered[at];
        return SSL_TLSEXT_ERR_OK;
      }
    }
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

struct TlsContext::Loaded {
  ContextPointer context;
  std::array<FileStamp, 4> stamps;
};

TlsContext::TlsContext(TlsOptions options) : options_(std::move(options)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::Create(TlsOptions options) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(options)));
  HEADRACE_ASSIGN_OR_RETURN(context->loaded_, context->Load());
  return context;
}

Status TlsContext::Reload() {
  HEADRACE_ASSIGN_OR_RETURN(std::shared_ptr<const Loaded> loaded, Load());
  const std::lock_guard lock(mutex_);
  loaded_ = std::move(loaded);
  return OkStatus();
}

bool TlsContext::FilesChanged() const {
  const std::array stamps = Stamps(options_);
  const std::lock_guard lock(mutex_);
  return stamps != loaded_->stamps;
}

Result<std::shared_ptr<const TlsContext::Loaded>> TlsContext::Load() const {
  if (options_.keystore_file.empty()) {
    HEADRACE_RETURN_IF_ERROR(CheckReadable(options_.certificate_file, "server certificate"));
    HEADRACE_RETURN_IF_ERROR(CheckReadable(options_.key_file, "server key"));
  } else {
    HEADRACE_RETURN_IF_ERROR(CheckReadable(options_.keystore_file, "keystore"));
  }
  if (options_.client_certificate || !options_.client_root_file.empty()) {
    HEADRACE_RETURN_IF_ERROR(
        CheckReadable(options_.client_root_file, "root certificate for clients"));
  }
  auto loaded = std::make_shared<Loaded>();
  // Before the files are read: a change in between is seen at the next look.
  loaded->stamps = Stamps(options_);
  ERR_clear_error();
  loaded->context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = loaded->context.get();
  if (context == nullptr) {
    return ResourceExhausted("cannot set up TLS: {}", LastError());
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // Fewer system calls: several records are read at once.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, 64 * 1024);
  SSL_CTX_set_alpn_select_cb(context, SelectProtocol,
                             const_cast<std::vector<std::string>*>(&options_.protocols));
  HEADRACE_RETURN_IF_ERROR(
      options_.keystore_file.empty()
          ? UsePemFiles(context, options_)
          : UseKeystore(context, options_.keystore_file, options_.keystore_password));
  if (!options_.client_root_file.empty()) {
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options_.client_root_file.c_str());
    if (names == nullptr ||
        SSL_CTX_load_verify_file(context, options_.client_root_file.c_str()) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return InvalidArgument("the root certificate for clients '{}' cannot be used: {}",
                             options_.client_root_file, LastError());
    }
    SSL_CTX_set_client_CA_list(context, names);
  }
  if (options_.client_certificate) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  static constexpr std::string_view kSessions = "headrace";
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSessions.data()),
                                 kSessions.size());
  return std::shared_ptr<const Loaded>(std::move(loaded));
}

std::unique_ptr<TlsSession> TlsContext::NewSession(int fd) const {
  std::shared_ptr<const Loaded> loaded;
  {
    const std::lock_guard lock(mutex_);
    loaded = loaded_;
  }
  SSL* ssl = SSL_new(loaded->context.get());
  if (ssl == nullptr || !BindToSocket(ssl, fd)) {
    SSL_free(ssl);
    ERR_clear_error();
    return nullptr;
  }
  SSL_set_accept_state(ssl);
  return std::make_unique<TlsSession>(ssl, std::move(loaded));
}

}  // namespace headrace::net
