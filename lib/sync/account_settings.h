// SPDX-License-Identifier: MIT
// What a sync needs to know of an account; filled in by daemon/ from the configuration.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "delivery/mbox_lock.h"
#include "net/pop3_client.h"
#include "net/tls_policy.h"
#include "state/rows.h"

namespace popsync::sync {

// A file of this size is no large one: where it cannot be written, there is no room for mail, nor for the state. Of larger ones only the message at
// hand is held.
constexpr std::uint64_t kSmallFileOctets = 1U << 20U;

// What happens on the server to messages that are durably here.
struct LeavePolicy {
  enum class Kind { keep, remove, remove_after } kind = Kind::keep;
  std::chrono::seconds age{};  // remove_after: counted from our publication
};

// Where messages go.
struct MailstoreTarget {
  std::string path;  // absolute
  state::MailstoreKind kind = state::MailstoreKind::maildir;
  delivery::MboxLockKinds mbox_locks = {};
  std::chrono::milliseconds mbox_lock_wait = delivery::kMboxLockWait;
  bool made_if_absent = true;  // an mbox; false of one that the account has left
};

struct AccountSettings {
  std::string name;
  net::Endpoint endpoint;
  net::TlsPolicy tls;
  net::LoginOptions login;  // login.user names the maildrop
  net::Patience patience = {};
  MailstoreTarget mailstore;
  LeavePolicy leave;
  std::string leave_text;  // as configured, to notice a change
  std::uint64_t max_message_size = 0;
  std::string size_limit = "max_message_size";  // what sets it, for messages
  std::uint64_t min_free_space = 0;             // octets that stay free on the disks of the Maildir and of the state
  bool rset_before_quit = false;
  bool skip_first_message = false;  // it is the server's own
  bool port_counts = false;         // another account has this host and user
};

}  // namespace popsync::sync
