// SPDX-License-Identifier: MIT
#include "sync/session_opening.h"

#include "base/error.h"

namespace popsync::sync {

namespace {

OpenSession connected(const AccountSettings& settings, const Clock& clock, const StopSignal& stop, const net::Trace& trace) {
  OpenSession session;
  session.transport = net::connect(settings.endpoint, settings.tls, stop);
  if (trace) trace("connected to " + settings.endpoint.host + ":" + std::to_string(settings.endpoint.port) + ", " + session.transport->description());
  session.client = std::make_unique<net::Pop3Client>(*session.transport, clock, trace, settings.patience);
  return session;
}

}  // namespace

OpenSession open_session(const AccountSettings& settings, const net::SecretProvider& secret, const Clock& clock, const StopSignal& stop,
                         const net::Trace& trace) {
  OpenSession session = connected(settings, clock, stop, trace);
  try {
    session.client->open(settings.login, secret);
    return session;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::network || !session.client->lost_at_capa()) throw;
  }
  session = {};  // before the new connection: a server may allow one at a time
  session = connected(settings, clock, stop, trace);
  net::LoginOptions login = settings.login;
  login.ask_capabilities = false;
  session.client->open(login, secret);
  session.hung_up_on_capa = true;
  return session;
}

net::MaildropListing list_maildrop(net::Pop3Client& client, const AccountSettings& settings) {
  net::MaildropListing listing = client.listing();
  if (settings.skip_first_message) std::erase_if(listing.entries, [](const pop3::ListingEntry& entry) { return entry.number.value == 1; });
  return listing;
}

}  // namespace popsync::sync
