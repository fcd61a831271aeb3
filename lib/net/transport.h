// SPDX-License-Identifier: MIT
// The seam to the network: octets to and from one server, with deadlines and a stop that wakes every wait. Destroying a Transport closes the
// connection and says nothing to the server: QUIT is a commit point (RFC 1939 section 6) and belongs to the success path alone.
// One thread uses a Transport. Every function throws Error: interrupted when the StopSignal fires, timeout when the deadline passes,
// network when the connection is lost, certificate or tls_failed from TLS. A TLS stream that ends without close_notify is a lost connection, not an
// end.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/stop_signal.h"
#include "net/tls_policy.h"

namespace popsync::net {

class TlsMemory;

class Transport {
 public:
  virtual ~Transport() = default;

  // Waits for at least one octet. 0: the peer ended the connection in order (TCP FIN, TLS close_notify).
  // A deadline that has passed is a timeout even if octets are there: a server that never stops sending cannot outlive it.
  virtual std::size_t receive(std::span<char> buffer, SteadyTime deadline) = 0;
  // Sends all octets. Does not read meanwhile: callers keep what is under way small enough for the server's receive buffer.
  virtual void send(std::string_view octets, SteadyTime deadline) = 0;
  // True if octets (or the end of the connection) could be read now without waiting. Where no reply is outstanding nothing may be there.
  virtual bool input_waiting() = 0;
  // STLS (RFC 2595): handshake and verification on this connection. The caller has made sure that nothing is buffered.
  // Octets that came behind the +OK in cleartext are an attack: Error desynchronised, before the handshake.
  virtual void start_tls(SteadyTime deadline) = 0;
  // True once the handshake is done and the certificate verified under the policy. The credential gate asks this and nothing else.
  [[nodiscard]] virtual bool secure() const = 0;
  // "TLSv1.3 TLS_AES_256_GCM_SHA384" or "cleartext"; for check and trace.
  [[nodiscard]] virtual std::string description() const = 0;
};

constexpr std::chrono::seconds kConnectTimeout{20};  // for all addresses together; each gets a fair share of it
constexpr std::chrono::seconds kTlsTimeout{30};

// Resolves and connects (each address in turn, IPv6 and IPv4 as the resolver orders them), and does the TLS handshake if mode is implicit.
// Errors: host_unknown (the name does not exist), dns_temporary, network (refused by all addresses: each address and reason named), timeout,
// certificate (which check failed; for an unverified key the SPKI and the line to paste), tls_failed (no TLS on that port: says what the other side
// sounds like), interrupted. `stop` must outlive the transport.
// With `memory` a TLS session kept there is offered, and that of this connection is kept at its end; it must outlive the transport.
// Makes the process ignore SIGPIPE if it has the default action; programs it starts should get the default back.
std::unique_ptr<Transport> connect(const Endpoint& endpoint, const TlsPolicy& policy, const StopSignal& stop, TlsMemory* memory = nullptr);

}  // namespace popsync::net
