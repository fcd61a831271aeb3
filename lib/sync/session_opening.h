// SPDX-License-Identifier: MIT
// From settings to a session in TRANSACTION state. Shared by sync and by the commands that only look.
#pragma once

#include <memory>

#include "base/stop_signal.h"
#include "net/pop3_client.h"
#include "sync/account_settings.h"

namespace popsync::sync {

struct OpenSession {
  std::unique_ptr<net::Transport> transport;  // declared first: the client refers to it
  std::unique_ptr<net::Pop3Client> client;
  bool hung_up_on_capa = false;  // and was well without it
};

// Connects, reads the greeting, secures, logs in; if the server hangs up on CAPA, once more without it. `stop` and `clock` must outlive the session.
// Destroying the session closes the socket without QUIT.
OpenSession open_session(const AccountSettings& settings, const net::SecretProvider& secret, const Clock& clock, const StopSignal& stop,
                         const net::Trace& trace);

// The maildrop, without the first message where that is the server's own.
net::MaildropListing list_maildrop(net::Pop3Client& client, const AccountSettings& settings);

}  // namespace popsync::sync
