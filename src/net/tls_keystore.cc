#include "net/tls_keystore.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace headrace::net {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

void FreeChain(STACK_OF(X509) * chain) { sk_X509_pop_free(chain, X509_free); }

}  // namespace

Status UseKeystore(SSL_CTX* context, const std::string& path, const std::string& password) {
  const std::unique_ptr<BIO, Deleter<BIO_free>> file(BIO_new_file(path.c_str(), "rb"));
  const std::unique_ptr<PKCS12, Deleter<PKCS12_free>> keystore(
      file == nullptr ? nullptr : d2i_PKCS12_bio(file.get(), nullptr));
  if (keystore == nullptr) {
    ERR_clear_error();
    return InvalidArgument(
        "the keystore '{}' is no PKCS12 file; keytool -importkeystore -deststoretype PKCS12 makes "
        "one of another kind",
        path);
  }
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* chain = nullptr;
  const int parsed = PKCS12_parse(keystore.get(), password.c_str(), &key, &certificate, &chain);
  const std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>> owned_key(key);
  const std::unique_ptr<X509, Deleter<X509_free>> owned_certificate(certificate);
  const std::unique_ptr<STACK_OF(X509), Deleter<FreeChain>> owned_chain(chain);
  if (parsed != 1) {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    const std::string text = reason == nullptr ? "unknown reason" : reason;
    ERR_clear_error();
    return InvalidArgument("the keystore '{}' cannot be opened with its password: {}", path, text);
  }
  if (key == nullptr || certificate == nullptr) {
    return InvalidArgument("the keystore '{}' holds no key with its certificate", path);
  }
  bool used = SSL_CTX_use_PrivateKey(context, key) == 1 &&
              SSL_CTX_use_certificate(context, certificate) == 1 &&
              SSL_CTX_check_private_key(context) == 1;
  for (int i = 0; used && i < sk_X509_num(chain); ++i) {
    used = SSL_CTX_add1_chain_cert(context, sk_X509_value(chain, i)) == 1;
  }
  ERR_clear_error();
  return used ? OkStatus()
              : InvalidArgument("the key and the certificate of the keystore '{}' cannot be used",
                                path);
}

}  // namespace headrace::net
