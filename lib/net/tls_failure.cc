// SPDX-License-Identifier: MIT
#include "net/tls_failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/random.h"
#include "net/certificate_facts.h"

namespace popsync::net {
namespace {

constexpr std::size_t kQuotedOctetsMax = 80;

bool is_unknown_authority(int code) {
  return code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
         code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY || code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

bool is_weak(int code) { return code == X509_V_ERR_EE_KEY_TOO_SMALL || code == X509_V_ERR_CA_KEY_TOO_SMALL || code == X509_V_ERR_CA_MD_TOO_WEAK; }

bool is_wrong_name(int code) { return code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH; }

std::string whose(const FailedCheck& check) {
  if (check.depth == 0 || !check.certificate) return "it";
  return fmt::format("its authority {}", subject_of(check.certificate.get()));
}

std::string clock_note() { return fmt::format("the clock here says {}", rfc3339_utc(system_clock().wall())); }

std::string described(const FailedCheck& check, const ServerName& name, const TlsPolicy& policy, const X509* leaf) {
  const X509* subject = check.certificate ? check.certificate.get() : leaf;
  switch (check.code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("it is for {}, not {}{}", names_of(leaf), name.is_ip ? "address " : "", escaped(name.text));
    case X509_V_ERR_CERT_HAS_EXPIRED: return fmt::format("{} expired on {} ({})", whose(check), text_of(X509_get0_notAfter(subject)), clock_note());
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is not valid before {} ({})", whose(check), text_of(X509_get0_notBefore(subject)), clock_note());
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "it is self-signed";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL: return fmt::format("{} has a key of {} bits, which is too weak", whose(check), key_bits_of(subject));
    case X509_V_ERR_CA_MD_TOO_WEAK: return fmt::format("{} is signed with a digest that is too weak", whose(check));
    default: break;
  }
  if (!is_unknown_authority(check.code)) return fmt::format("{}: {}", whose(check), X509_verify_cert_error_string(check.code));
  return fmt::format("it is signed by an unknown authority, {}{}", issuer_of(subject),
                     policy.ca_file.empty() ? "" : fmt::format(" (only those in {} count)", escaped(policy.ca_file)));
}

bool any_failed(const PeerVerifier& verifier, bool (*is)(int code)) {
  return std::ranges::any_of(verifier.failed_checks(), [&](const FailedCheck& check) { return is(check.code); });
}

// What to do before a pin is thought of: it breaks when the server changes its key.
std::string better_than_a_pin(const TlsPolicy& policy, const PeerVerifier& verifier) {
  const auto& failed = verifier.failed_checks();
  std::string hint;
  if (!failed.empty() && std::ranges::all_of(failed, [](const FailedCheck& check) { return is_wrong_name(check.code); })) {
    hint += "check `host`: a known authority vouches for the names above. ";
  }
  if (any_failed(verifier, is_weak)) hint += "The server needs a new certificate. ";
  if (policy.trust == TlsTrust::pin || !any_failed(verifier, is_unknown_authority)) return hint;
  if (verifier.shown_alone()) {
    hint += "The server sends no certificate but its own: if it has to send one of an authority in between, tell whoever runs it. ";
  }
  return hint + (policy.ca_file.empty() ? "If the authority is your own: tls_ca_file = \"/path/to/ca.pem\". "
                                        : "If the authority is your own, add its certificate to that file. ");
}

std::string all_reasons(const ServerName& name, const TlsPolicy& policy, const PeerVerifier& verifier) {
  std::vector<std::string> reasons;
  for (const FailedCheck& check : verifier.failed_checks()) {
    // A chain that ends too early fails a second time, as unverifiable, with nothing new to say.
    if (check.code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE && !reasons.empty()) continue;
    std::string reason = described(check, name, policy, verifier.certificate());
    if (std::ranges::find(reasons, reason) == reasons.end()) reasons.push_back(std::move(reason));
  }
  if (verifier.pin_missed()) reasons.emplace_back("its key is not in tls_pin_sha256");
  if (reasons.empty()) reasons.emplace_back("it could not be checked");
  std::string out;
  for (const std::string& reason : reasons) out += (out.empty() ? "" : ", and ") + reason;
  return out;
}

// Reasons for which the handshake stops because one side is too old for the other.
bool is_version_mismatch(int reason) {
  constexpr std::array kReasons = {SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
                                   SSL_R_WRONG_SSL_VERSION,    SSL_R_WRONG_VERSION_NUMBER,
                                   SSL_R_VERSION_TOO_LOW,      SSL_R_NO_PROTOCOLS_AVAILABLE};
  return std::ranges::find(kReasons, reason) != kReasons.end();
}

std::string_view sounds_like(std::string_view octets) {
  if (octets.starts_with("+OK") || octets.starts_with("-ERR")) return "cleartext POP3";
  if (octets.starts_with("* ")) return "cleartext IMAP";
  if (octets.starts_with("220") || octets.starts_with("554") || octets.starts_with("421")) return "cleartext SMTP";
  if (octets.starts_with("HTTP/") || octets.starts_with("<")) return "HTTP";
  if (octets.starts_with("SSH-")) return "SSH";
  return "no TLS";
}

}  // namespace

Error certificate_error(const std::string& where, const ServerName& name, const TlsPolicy& policy, const PeerVerifier& verifier) {
  const std::string key = to_hex(verifier.spki_sha256());
  std::string hint = better_than_a_pin(policy, verifier);
  if (policy.trust == TlsTrust::ca) {
    hint += fmt::format(
        "Only if you verified it another way, trust this key alone with the two lines: tls_trust = \"pin\" and tls_pin_sha256 = [\"{}\"]", key);
  } else if (verifier.pin_missed()) {
    hint += fmt::format("Only if you verified it another way, trust this key: tls_pin_sha256 = [\"{}\"]", key);
  } else {
    hint += fmt::format("The key is the pinned one ({}); tls_trust = \"pin\" would trust it alone, without authority, name and dates", key);
  }
  return {ErrorCode::certificate, fmt::format("certificate of {} refused: {}", where, all_reasons(name, policy, verifier)), hint};
}

Error handshake_error(const std::string& where, const TlsPolicy& policy, unsigned long code) {
  const int reason = ERR_GET_REASON(code);
  const bool from_tls = ERR_GET_LIB(code) == ERR_LIB_SSL;
  const auto failed = [&](std::string_view text, std::string_view hint) {
    return Error(ErrorCode::tls_failed, fmt::format("TLS handshake with {} failed: {}", where, text), std::string(hint));
  };
  if (from_tls && is_version_mismatch(reason)) {
    if (policy.version_min == TlsVersion::v1_3) return failed("the server offers no TLS 1.3", "tls_min_version asks for it");
    return failed("the server offers no TLS 1.2 or newer", "older versions are not safe (RFC 8996): the server must be updated");
  }
  if (from_tls && (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE || reason == SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY)) {
    return failed("the server refused it: no cipher or key exchange in common", "");
  }
  if (from_tls && reason == SSL_R_DH_KEY_TOO_SMALL) {
    return failed("the server's Diffie-Hellman key is too small to be safe", "whoever runs the server has to give it one of 2048 bits or more");
  }
  if (from_tls && reason == SSL_R_EE_KEY_TOO_SMALL) {
    return failed("the key of the server's certificate is too weak", "the server needs a new certificate");
  }
  return failed(openssl_reason(code), "");
}

bool is_tls_record(std::string_view first_octets) {
  return first_octets.size() >= 2 && first_octets[0] >= SSL3_RT_CHANGE_CIPHER_SPEC && first_octets[0] <= SSL3_RT_APPLICATION_DATA &&
         first_octets[1] == SSL3_VERSION_MAJOR;
}

Error cleartext_error(const Endpoint& endpoint, bool after_stls, std::string_view first_octets) {
  const std::string host = escaped(endpoint.host);
  const std::string quoted = escaped(first_octets.substr(0, first_octets.find_first_of("\r\n")), kQuotedOctetsMax);
  if (after_stls) {
    return {ErrorCode::tls_failed, fmt::format("{}:{} agreed to STLS but then speaks no TLS: \"{}\"", host, endpoint.port, quoted)};
  }
  const std::string_view language = sounds_like(first_octets);
  const bool pop3 = language == "cleartext POP3";
  return {ErrorCode::tls_failed, fmt::format("port {} of {} speaks {}: \"{}\"", endpoint.port, host, language, quoted),
          pop3 ? "use tls = \"starttls\", or port = 995" : "is `port` right? POP3 with implicit TLS is on 995"};
}

unsigned long openssl_code(std::string_view text) {
  constexpr std::string_view kMark = "error:";
  const std::size_t at = text.find(kMark);
  if (at == std::string_view::npos) return 0;
  unsigned long code = 0;
  std::from_chars(text.data() + at + kMark.size(), text.data() + text.size(), code, 16);
  return code;
}

bool is_truncation(unsigned long code) { return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING; }

std::string openssl_reason(unsigned long code) {
  const char* text = ERR_reason_error_string(code);
  return text == nullptr ? fmt::format("error {:08X}", code) : std::string(text);
}

}  // namespace popsync::net
