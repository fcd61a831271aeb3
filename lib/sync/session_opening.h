// SPDX-License-Identifier: MIT
// From settings to a session in TRANSACTION state. Shared by sync and by the commands that only look.
#pragma once

#include <memory>
#include <optional>

#include "base/stop_signal.h"
#include "net/pop3_client.h"
#include "state/server_memory.h"
#include "sync/account_settings.h"

namespace popsync::sync {

// Remembered capabilities are asked for again after this time: what a server has learnt since (PIPELINING) saves round trips too.
constexpr std::chrono::hours kCapabilitiesAge{24};
// So many openings in a row may fail with commands sent together with the login; then this server gets them one by one for good.
constexpr std::uint32_t kFailuresAheadMax = 2;

struct OpenSession {
  std::unique_ptr<net::Transport> transport;  // declared first: the client refers to it
  std::unique_ptr<net::Pop3Client> client;
};

// What saves an opening round trips.
struct Shortcuts {
  state::ServerMemory* memory = nullptr;              // used, and brought up to date
  std::optional<pop3::MessageNumber> glance_at = {};  // as net::Opening
  net::TlsMemory* tls = nullptr;
};

// Connects, reads the greeting, secures, logs in. `stop` and `clock` must outlive the session. Destroying the session closes the socket without QUIT.
// Without shortcuts the server is asked for all it can tell. With them, anything unexpected makes the memory forget the capabilities. A server that
// hangs up at CAPA is connected to once more, without it.
OpenSession open_session(const AccountSettings& settings, const net::SecretProvider& secret, const Clock& clock, const StopSignal& stop,
                         const net::Trace& trace, const Shortcuts& shortcuts = {});

// The end of a session that only looked: QUIT, behind RSET if headers were asked for and the server wants it (rset_before_quit).
void close_session(net::Pop3Client& client, const AccountSettings& settings);

// The maildrop, without the first message where that is the server's own.
net::MaildropListing list_maildrop(net::Pop3Client& client, const AccountSettings& settings);

// Leaves out the first message where that is the server's own.
void leave_out_first(net::MaildropListing& listing, const AccountSettings& settings);

// "implicit pop.example.org:995": what is remembered of a server holds for this TLS mode and this address only.
std::string place_of(const AccountSettings& settings);

}  // namespace popsync::sync
