// SPDX-License-Identifier: MIT
#include "net/tls_context.h"

#include <Poco/Exception.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/escape.h"
#include "base/unique_fd.h"
#include "net/authorities.h"

namespace popsync::net {
namespace {

Poco::Net::Context::Ptr make_context() {
  Poco::Net::Context::Params params;
  params.verificationMode = Poco::Net::Context::VERIFY_STRICT;
  params.loadDefaultCAs = false;  // the trust is set below
  params.cipherList = "DEFAULT";  // OpenSSL's, with the distribution's security level; POCO's own lets anonymous ECDH through
  try {
    Poco::Net::Context::Ptr context = new Poco::Net::Context(Poco::Net::Context::TLS_CLIENT_USE, params);
    context->enableExtendedCertificateVerification(false);  // POCO's name check knows no IP addresses and accepts more wildcards; OpenSSL does it
    context->enableSessionCache(false);
    return context;
  } catch (const Poco::Exception& error) {
    throw Error(ErrorCode::tls_failed, "cannot prepare TLS: " + escaped(error.displayText()));
  }
}

// As the distribution sets it. Asked once: to make a context takes longer than all that is done with it.
int security_level_here() {
  static const int level = [] {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> untouched(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    if (!untouched) throw Error(ErrorCode::tls_failed, "cannot prepare TLS: the TLS library gives no context");
    return SSL_CTX_get_security_level(untouched.get());
  }();
  return level;
}

void limit_protocol(SSL_CTX* context, TlsVersion version_min) {
  const int oldest = version_min == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  // Set here because a distribution's openssl.cnf may say less, or more. 0: whatever is newest.
  if (SSL_CTX_set_min_proto_version(context, oldest) != 1 || SSL_CTX_set_max_proto_version(context, 0) != 1) {
    throw Error(ErrorCode::tls_failed, "cannot prepare TLS: the TLS library refuses the protocol versions");
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);  // an end without close_notify is a truncation
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

void load_authorities(SSL_CTX* context, const std::string& ca_file) {
  ERR_clear_error();
  if (ca_file.empty()) {
    SSL_CTX_set1_cert_store(context, system_authorities().get());
    return;
  }
  const UniqueFd readable(::open(ca_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable.valid()) {
    const std::string reason = errno_text(errno);
    throw Error(ErrorCode::configuration, fmt::format("cannot read tls_ca_file {}: {}", escaped(ca_file), reason),
                fmt::format("popsync runs as user {}, which must be able to read it", ::geteuid()));
  }
  if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
    ERR_clear_error();
    throw Error(ErrorCode::configuration, fmt::format("tls_ca_file {} holds no certificate", escaped(ca_file)),
                "it must be a PEM file (-----BEGIN CERTIFICATE-----)");
  }
  // Who names a file trusts what is in it: an intermediate authority there needs no root beside it.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
}

void expect_name(SSL_CTX* context, const ServerName& name) {
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
  const std::string address = name.text.substr(0, name.text.find('%'));
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int set =
      name.is_ip ? X509_VERIFY_PARAM_set1_ip_asc(rules, address.c_str()) : X509_VERIFY_PARAM_set1_host(rules, name.text.data(), name.text.size());
  // Without a rule OpenSSL would accept any name.
  if (set != 1) throw Error(ErrorCode::configuration, fmt::format("host \"{}\" cannot be compared with a certificate", escaped(name.text)));
}

}  // namespace

TlsContext::TlsContext(const TlsPolicy& policy, const ServerName& name) : verifier_(policy), poco_(make_context()) {
  SSL_CTX* context = poco_->sslContext();
  SSL_CTX_set_security_level(context, security_level_here());  // POCO 1.13 sets 0, at which keys of 1,024 bits and SHA-1 would do
  limit_protocol(context, policy.version_min);
  if (policy.trust != TlsTrust::pin) load_authorities(context, policy.ca_file);
  expect_name(context, name);
  verifier_.install(context);
  SSL_CTX_set_msg_callback(context, [](int sent, int, int content_type, const void* octets, std::size_t size, SSL* ssl, void* self) {
    static_cast<TlsContext*>(self)->observe(sent != 0, content_type, {static_cast<const char*>(octets), size}, ssl);
  });
  SSL_CTX_set_msg_callback_arg(context, this);
}

void TlsContext::observe(bool sent, int content_type, std::string_view octets, const SSL* ssl) {
  ssl_ = ssl;
  if (!sent && content_type == SSL3_RT_HEADER && first_octets_.empty()) first_octets_ = octets.substr(0, SSL3_RT_HEADER_LENGTH);
}

}  // namespace popsync::net
