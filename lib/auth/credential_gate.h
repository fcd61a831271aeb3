// SPDX-License-Identifier: MIT
// The one gate: no octet of USER, PASS, APOP or AUTH is made anywhere else. It says no unless the connection is TLS, verified under the account's
// policy, or the account has opted in to sending its password in clear. The policy is asked here, when the credential is about to leave, and not when
// TLS was negotiated: every STARTTLS bypass of other programs came from the other way round.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pop3/capabilities.h"
#include "pop3/command.h"
#include "pop3/reply.h"

namespace popsync::auth {

enum class Method { automatic, user, plain, apop };

struct LoginRequest {
  Method method = Method::automatic;
  bool connection_secure = false;    // Transport::secure()
  bool allow_insecure_auth = false;  // the account's opt-in
  std::string user;
  std::string greeting_text;  // holds the APOP stamp
  pop3::Capabilities capabilities;
};

// What to say, in order. The caller wipes the arguments.
struct LoginCommands {
  pop3::Command first;
  std::optional<pop3::Command> second;
  pop3::Indicator second_follows = pop3::Indicator::ok;  // the answer to `first` that `second` goes after
};

// Throws Error insecure_login before the secret is looked at; server_permanent if APOP was asked for and the server gave no usable stamp.
// automatic: AUTH PLAIN if announced, else USER and PASS; APOP only if asked for.
LoginCommands pass_gate(const LoginRequest& request, std::string_view secret);

// Overwrites the arguments.
void wipe(LoginCommands& commands);

}  // namespace popsync::auth
