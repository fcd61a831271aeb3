// SPDX-License-Identifier: MIT
// The system's certificate authorities, shared by all connections: the usual bundle takes some 20 ms and megabytes to parse, too much for each of
// thousands of sessions an hour. Read again when the bundle or the directory has changed. Any thread.
#pragma once

#include <openssl/x509.h>

#include <memory>

namespace popsync::net {

// What OpenSSL calls the default paths; SSL_CERT_FILE and SSL_CERT_DIR are honoured. An absent bundle is an empty store, which trusts nobody.
std::shared_ptr<X509_STORE> system_authorities();

}  // namespace popsync::net
