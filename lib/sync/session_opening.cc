// SPDX-License-Identifier: MIT
#include "sync/session_opening.h"

#include "base/error.h"

namespace popsync::sync {
namespace {

// Longer texts are not kept: no honest server announces so much.
constexpr std::size_t kCapabilityOctetsMax = 4096;

bool fresh(WallTime asked, WallTime now) { return asked <= now && now - asked < kCapabilitiesAge; }

net::Opening opening_for(state::ServerMemory& memory, const Shortcuts& shortcuts, const std::string& place, WallTime now) {
  net::Opening opening{.known = {}, .ahead = memory.failures_ahead < kFailuresAheadMax, .glance_at = shortcuts.glance_at};
  auto& kept = memory.capabilities;
  if (kept && (kept->where != place || !fresh(kept->asked, now))) kept.reset();
  if (kept) {
    opening.known = net::KnownServer{.before_login = pop3::Capabilities::from_text(kept->before_login),
                                     .after_login = pop3::Capabilities::from_text(kept->after_login)};
  }
  return opening;
}

void remember(state::ServerMemory& memory, const net::Pop3Client& client, const std::string& place, WallTime now) {
  if (client.went_ahead()) memory.failures_ahead = 0;
  if (!client.asked_capabilities()) return;
  state::KnownCapabilities kept{
      .where = place, .before_login = client.capabilities_before_login().to_text(), .after_login = client.capabilities().to_text(), .asked = now};
  memory.capabilities.reset();
  if (kept.before_login.size() + kept.after_login.size() <= kCapabilityOctetsMax) memory.capabilities = std::move(kept);
}

}  // namespace

OpenSession open_session(const AccountSettings& settings, const net::SecretProvider& secret, const Clock& clock, const StopSignal& stop,
                         const net::Trace& trace, const Shortcuts& shortcuts) {
  state::ServerMemory unused;
  state::ServerMemory& memory = shortcuts.memory == nullptr ? unused : *shortcuts.memory;
  const std::string place = place_of(settings);
  for (bool again = false;; again = true) {
    OpenSession session;
    session.transport = net::connect(settings.endpoint, settings.tls, stop, shortcuts.tls);
    if (trace)
      trace("connected to " + settings.endpoint.host + ":" + std::to_string(settings.endpoint.port) + ", " + session.transport->description());
    session.client = std::make_unique<net::Pop3Client>(*session.transport, clock, trace, settings.patience);
    try {
      session.client->open(settings.login, secret, opening_for(memory, shortcuts, place, clock.wall()));
      remember(memory, *session.client, place, clock.wall());
      return session;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) throw;
      memory.capabilities.reset();
      if (session.client->ahead_of_login()) ++memory.failures_ahead;
      if (again || error.code() != ErrorCode::network || !session.client->asking_capabilities()) throw;
      // It hangs up at CAPA (protocol.md 28): known from now on as one that announces nothing.
      memory.capabilities = state::KnownCapabilities{.where = place, .before_login = {}, .after_login = {}, .asked = clock.wall()};
    }
  }
}

void close_session(net::Pop3Client& client, const AccountSettings& settings) {
  if (settings.rset_before_quit && client.has_read()) client.rset();
  client.quit(client.has_read());
}

net::MaildropListing list_maildrop(net::Pop3Client& client, const AccountSettings& settings) {
  net::MaildropListing listing = client.listing();
  leave_out_first(listing, settings);
  return listing;
}

void leave_out_first(net::MaildropListing& listing, const AccountSettings& settings) {
  if (settings.skip_first_message) std::erase_if(listing.entries, [](const pop3::ListingEntry& entry) { return entry.number.value == 1; });
}

std::string place_of(const AccountSettings& settings) {
  const auto mode = [&] {
    switch (settings.tls.mode) {
      case net::TlsMode::implicit: return "implicit ";
      case net::TlsMode::starttls: return "starttls ";
      case net::TlsMode::none: break;
    }
    return "none ";
  };
  return mode() + settings.endpoint.host + ":" + std::to_string(settings.endpoint.port);
}

}  // namespace popsync::sync
