// SPDX-License-Identifier: MIT
// Keys and certificates made in memory for one test. Failures assert: a broken fixture must not look like a passing refusal.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"

namespace popsync::net::testing {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

struct CertificateSpec {
  std::string common_name = "test server";
  std::vector<std::string> dns_names = {};
  std::vector<std::string> ip_octets = {};  // 4 or 16 octets each
  std::chrono::seconds valid_from = std::chrono::hours(-1);
  std::chrono::seconds valid_until = std::chrono::hours(24);
  bool authority = false;
  unsigned rsa_bits = 0;  // 0: EC P-256
};

struct Identity {
  std::unique_ptr<EVP_PKEY, Free> key;
  std::unique_ptr<X509, Free> certificate;

  [[nodiscard]] std::string pem() const {
    const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
    POPSYNC_ASSERT(PEM_write_bio_X509(bio.get(), certificate.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }

  [[nodiscard]] std::string pin() const {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    POPSYNC_ASSERT(size > 0);
    const std::string octets(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return sha256(octets);
  }
};

inline void add_name(GENERAL_NAMES* names, int type, const std::string& octets) {
  ASN1_STRING* text = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  POPSYNC_ASSERT(ASN1_STRING_set(text, octets.data(), static_cast<int>(octets.size())) == 1);
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, text);
  POPSYNC_ASSERT(sk_GENERAL_NAME_push(names, name) > 0);
}

inline void add_extension(X509* certificate, int nid, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  POPSYNC_ASSERT(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

// Signed by `issuer`, or by itself.
inline Identity issue(const CertificateSpec& spec, const Identity* issuer = nullptr) {
  Identity made{std::unique_ptr<EVP_PKEY, Free>(spec.rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(spec.rsa_bits)),
                std::unique_ptr<X509, Free>(X509_new())};
  X509* certificate = made.certificate.get();
  static long serial = 1;
  POPSYNC_ASSERT(X509_set_version(certificate, X509_VERSION_3) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), static_cast<long>(spec.valid_from.count()));
  X509_gmtime_adj(X509_getm_notAfter(certificate), static_cast<long>(spec.valid_until.count()));
  X509_NAME* subject = X509_get_subject_name(certificate);
  POPSYNC_ASSERT(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(spec.common_name.data()),
                                            static_cast<int>(spec.common_name.size()), -1, 0) == 1);
  X509_set_issuer_name(certificate, issuer == nullptr ? subject : X509_get_subject_name(issuer->certificate.get()));
  X509_set_pubkey(certificate, made.key.get());
  if (spec.authority) add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  if (!spec.dns_names.empty() || !spec.ip_octets.empty()) {
    const std::unique_ptr<GENERAL_NAMES, Free> names(GENERAL_NAMES_new());
    for (const std::string& name : spec.dns_names) add_name(names.get(), GEN_DNS, name);
    for (const std::string& address : spec.ip_octets) add_name(names.get(), GEN_IPADD, address);
    POPSYNC_ASSERT(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1);
  }
  POPSYNC_ASSERT(X509_sign(certificate, issuer == nullptr ? made.key.get() : issuer->key.get(), EVP_sha256()) > 0);
  return made;
}

}  // namespace popsync::net::testing
