// SPDX-License-Identifier: MIT
// Why TLS did not come about or broke, in words for the person who runs popsync. Pure: takes what was seen, gives an Error. All foreign text in it is
// escaped.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "net/peer_verifier.h"
#include "net/resolver.h"
#include "net/tls_policy.h"

namespace popsync::net {

// `where`: "host:port" for messages.

// The certificate was shown and refused (verifier.refused()): which checks failed, and the key with the lines that would trust it.
Error certificate_error(const std::string& where, const ServerName& name, const TlsPolicy& policy, const PeerVerifier& verifier);

// The handshake failed with this code of OpenSSL's error queue (0: unknown).
Error handshake_error(const std::string& where, const TlsPolicy& policy, unsigned long code);

// `first_octets`, the first that came where a TLS record was due, are not one.
bool is_tls_record(std::string_view first_octets);
Error cleartext_error(const Endpoint& endpoint, bool after_stls, std::string_view first_octets);

// The code in the text of a POCO exception ("error:0A000126:SSL routines::..."), 0 if there is none.
unsigned long openssl_code(std::string_view text);
// The stream ended without close_notify.
bool is_truncation(unsigned long code);
// "bad record mac"
std::string openssl_reason(unsigned long code);

}  // namespace popsync::net
