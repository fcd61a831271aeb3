// SPDX-License-Identifier: MIT
#include "support/certificates.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/random.h"
#include "base/unique_fd.h"

namespace popsync::test {

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
constexpr long kSecondsADay = 86400;

template <typename Result>
Result* must(Result* result, const char* what) {
  if (result == nullptr) throw std::runtime_error(std::string("OpenSSL: ") + what + " failed");
  return result;
}

void must(int result, const char* what) {
  if (result <= 0) throw std::runtime_error(std::string("OpenSSL: ") + what + " failed");
}

Key new_key() { return {must(EVP_EC_gen("P-256"), "EVP_EC_gen"), EVP_PKEY_free}; }

const unsigned char* unsigned_octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// Also takes a name that holds NUL, which the text form of OpenSSL's configuration could not say.
void add_names(X509* certificate, const CertificateSpec& spec) {
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(must(GENERAL_NAMES_new(), "GENERAL_NAMES_new"), GENERAL_NAMES_free);
  const auto add = [&](int type, std::string_view octets) {
    ASN1_STRING* value = must(ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING), "ASN1_STRING_type_new");
    must(ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size())), "ASN1_STRING_set");
    GENERAL_NAME* name = must(GENERAL_NAME_new(), "GENERAL_NAME_new");
    GENERAL_NAME_set0_value(name, type, value);
    must(sk_GENERAL_NAME_push(names.get(), name), "sk_GENERAL_NAME_push");
  };
  for (const std::string& name : spec.dns_names) add(GEN_DNS, name);
  for (const std::string& text : spec.ip_addresses) {
    char address[16];
    const bool is_v6 = text.find(':') != std::string::npos;
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text.c_str(), address) != 1) throw std::runtime_error("not an IP address: " + text);
    add(GEN_IPADD, std::string_view(address, is_v6 ? 16 : 4));
  }
  if (sk_GENERAL_NAME_num(names.get()) > 0) must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0), "X509_add1_ext_i2d");
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(must(X509V3_EXT_conf_nid(nullptr, &context, nid, value), value),
                                                                                  X509_EXTENSION_free);
  must(X509_add_ext(certificate, extension.get(), -1), "X509_add_ext");
}

Certificate unsigned_certificate(EVP_PKEY* key, const CertificateSpec& spec) {
  Certificate certificate(must(X509_new(), "X509_new"), X509_free);
  must(X509_set_version(certificate.get(), X509_VERSION_3), "X509_set_version");
  must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), random_u64() >> 1), "ASN1_INTEGER_set_uint64");
  must(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), spec.valid_from_days * kSecondsADay), "X509_gmtime_adj");
  must(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), spec.valid_to_days * kSecondsADay), "X509_gmtime_adj");
  must(X509_set_pubkey(certificate.get(), key), "X509_set_pubkey");
  must(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8, unsigned_octets(spec.common_name),
                                  static_cast<int>(spec.common_name.size()), -1, 0),
       "X509_NAME_add_entry_by_txt");
  return certificate;
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
  must(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)), "X509_set_issuer_name");
  must(X509_sign(certificate, issuer_key, EVP_sha256()), "X509_sign");
}

template <typename Write>
void write_pem(const std::string& path, mode_t mode, Write write) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd.valid()) throw std::runtime_error("cannot write " + path);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(must(BIO_new_fd(fd.get(), BIO_NOCLOSE), "BIO_new_fd"), BIO_free);
  must(write(bio.get()), path.c_str());
}

void write_certificate(const std::string& path, X509* certificate) {
  write_pem(path, 0644, [&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string spki_sha256_hex(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  must(length, "i2d_PUBKEY");
  const std::string octets(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return to_hex(sha256(octets));
}

}  // namespace

struct CertificateAuthority::Keys {
  Key key;
  Certificate certificate;
};

CertificateAuthority::CertificateAuthority(std::string folder, const std::string& name)
    : folder_(std::move(folder)), ca_file_(folder_ + "/" + name + ".pem") {
  Key key = new_key();
  Certificate certificate = unsigned_certificate(key.get(), {.common_name = "popsync test authority " + name});
  add_extension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash");
  sign(certificate.get(), certificate.get(), key.get());
  write_certificate(ca_file_, certificate.get());
  keys_ = std::make_unique<Keys>(Keys{.key = std::move(key), .certificate = std::move(certificate)});
}

CertificateAuthority::~CertificateAuthority() = default;

CertificateFiles CertificateAuthority::issue(const std::string& name, const CertificateSpec& spec) const {
  const Key key = new_key();
  const Certificate certificate = unsigned_certificate(key.get(), spec);
  X509* issuer = spec.self_signed ? certificate.get() : keys_->certificate.get();
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(certificate.get(), issuer, NID_subject_key_identifier, "hash");
  if (!spec.self_signed) add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid");
  add_names(certificate.get(), spec);
  sign(certificate.get(), issuer, spec.self_signed ? key.get() : keys_->key.get());

  CertificateFiles files{.ca_file = ca_file_,
                         .certificate_file = folder_ + "/" + name + ".crt",
                         .key_file = folder_ + "/" + name + ".key",
                         .spki_sha256_hex = spki_sha256_hex(key.get())};
  write_certificate(files.certificate_file, certificate.get());
  write_pem(files.key_file, 0600, [&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  return files;
}

}  // namespace popsync::test
