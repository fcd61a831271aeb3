// SPDX-License-Identifier: MIT
// What a MaildropServer and its sessions share. Private to them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "support/maildrop.h"
#include "support/maildrop_knobs.h"
#include "support/maildrop_record.h"
#include "support/maildrop_server.h"
#include "support/server_socket.h"

namespace popsync::test {

struct MaildropState {
  std::mutex mutex;                 // guards all below
  std::condition_variable changed;  // after every change of the record, a lock or a knob
  std::map<std::string, Maildrop> maildrops;
  std::shared_ptr<const MaildropKnobs> knobs;  // replaced, never edited: sessions read theirs without the mutex
  ServerTls tls_mode = ServerTls::none;
  TlsContext tls;
  MaildropRecord record;
  std::set<Connection*> connections;
  std::size_t sessions_begun = 0;
  std::uint64_t stall_releases = 0;  // grows with each release_stalled()
  bool stopping = false;
};

}  // namespace popsync::test
