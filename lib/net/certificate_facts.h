// SPDX-License-Identifier: MIT
// What a certificate says about itself, as escaped text for messages. Never a base for a decision.
#pragma once

#include <openssl/x509.h>

#include <string>

namespace popsync::net {

// "mail.example.org, *.example.net, address 192.0.2.1": the DNS names and IP addresses it is for (the common name if it has no such list), or "no
// name at all".
std::string names_of(const X509* certificate);
// "CN=Example Root,O=Example"
std::string subject_of(const X509* certificate);
std::string issuer_of(const X509* certificate);
// The size of its public key, 0 if that cannot be told.
int key_bits_of(const X509* certificate);
// "2026-01-31T08:30:00Z"
std::string text_of(const ASN1_TIME* time);

}  // namespace popsync::net
