// SPDX-License-Identifier: MIT
#include "net/certificate_facts.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <time.h>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"
#include "base/format.h"

namespace popsync::net {
namespace {

constexpr std::size_t kNamesMax = 8;  // some certificates carry hundreds

struct NamesDeleter {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};

std::string octets_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string address_of(const std::string& octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = octets.size() == sizeof(in_addr) ? AF_INET : octets.size() == sizeof(in6_addr) ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC || ::inet_ntop(family, octets.data(), text.data(), text.size()) == nullptr) return "(malformed)";
  return text.data();
}

std::string common_name(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? std::string() : octets_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::vector<std::string> alternative_names(const X509* certificate) {
  std::vector<std::string> out;
  const std::unique_ptr<GENERAL_NAMES, NamesDeleter> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) out.push_back(escaped(octets_of(name->d.dNSName)));
    if (name->type == GEN_IPADD) out.push_back("address " + address_of(octets_of(name->d.iPAddress)));
  }
  return out;
}

std::string printed(const X509_NAME* name) {
  const std::unique_ptr<BIO, BioDeleter> bio(BIO_new(BIO_s_mem()));
  // No escapes of OpenSSL's: escaped() knows better what a terminal can bear.
  constexpr unsigned long kEscapes = ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_ESC_MSB;
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~kEscapes) < 0) return "unreadable";
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? escaped(std::string_view(data, static_cast<std::size_t>(size))) : "no name";
}

}  // namespace

std::string names_of(const X509* certificate) {
  std::vector<std::string> names = alternative_names(certificate);
  if (names.empty()) {
    const std::string name = common_name(certificate);
    return name.empty() ? "no name at all" : escaped(name);
  }
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kNamesMax; ++i) out += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kNamesMax ? out + ", \u2026" : out;
}

std::string subject_of(const X509* certificate) { return printed(X509_get_subject_name(certificate)); }

std::string issuer_of(const X509* certificate) { return printed(X509_get_issuer_name(certificate)); }

int key_bits_of(const X509* certificate) {
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  return key == nullptr ? 0 : EVP_PKEY_get_bits(key);
}

std::string text_of(const ASN1_TIME* time) {
  tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  return rfc3339_utc(from_unix_seconds(::timegm(&parts)));
}

}  // namespace popsync::net
