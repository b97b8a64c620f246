// Keys and certificates for tests of TLS.
#ifndef HEADRACE_NET_TESTING_CERTIFICATES_H_
#define HEADRACE_NET_TESTING_CERTIFICATES_H_

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

namespace headrace::net {

template <typename T, void (*kFree)(T*)>
struct Freer {
  void operator()(T* object) const { kFree(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;

struct Identity {
  Key key;
  Certificate certificate;
};

// A certificate for `name`, signed by `issuer` or by itself; `names`: OpenSSL's words for the names
// in it ("IP:127.0.0.1,DNS:x").
inline Identity MakeIdentity(const std::string& name, const Identity* issuer = nullptr,
                             const std::string& names = "") {
  Identity made{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  const X509* signer = issuer == nullptr ? certificate : issuer->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  if (issuer == nullptr) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  if (!names.empty()) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, (issuer == nullptr ? made.key : issuer->key).get(), EVP_sha256());
  return made;
}

// Certificate and key in one PEM file.
inline void WriteIdentity(const std::string& path, const Identity& identity) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  PEM_write_X509(file, identity.certificate.get());
  PEM_write_PrivateKey(file, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

}  // namespace headrace::net

#endif  // HEADRACE_NET_TESTING_CERTIFICATES_H_
