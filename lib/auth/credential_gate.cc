// SPDX-License-Identifier: MIT
#include "auth/credential_gate.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "auth/apop.h"
#include "base/error.h"

namespace popsync::auth {
namespace {

using pop3::Command;
using pop3::Verb;

constexpr std::size_t kCommandOctetsMax = 255;  // RFC 5034 section 4: a longer command goes without initial response

// RFC 4616: authorization identity (empty), authentication identity, password, base64.
std::string plain_response(std::string_view user, std::string_view secret) {
  std::string message;
  message.reserve(user.size() + secret.size() + 2);
  message += '\0';
  message += user;
  message += '\0';
  message += secret;
  std::string encoded((message.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), reinterpret_cast<const unsigned char*>(message.data()),
                                   static_cast<int>(message.size()));
  encoded.resize(static_cast<std::size_t>(size));
  OPENSSL_cleanse(message.data(), message.size());
  return encoded;
}

LoginCommands plain_commands(std::string_view user, std::string_view secret) {
  std::string response = plain_response(user, secret);
  if (response.size() + std::string_view("AUTH PLAIN \r\n").size() <= kCommandOctetsMax) {
    LoginCommands commands{.first = Command{.verb = Verb::auth, .argument = "PLAIN " + response}, .second = {}, .second_follows = {}};
    OPENSSL_cleanse(response.data(), response.size());
    return commands;
  }
  // Moved, not copied: a string this long lies on the heap and has one owner.
  return {.first = Command{.verb = Verb::auth, .argument = "PLAIN"},
          .second = Command{.verb = Verb::auth_response, .argument = std::move(response)},
          .second_follows = pop3::Indicator::challenge};
}

LoginCommands apop_commands(const LoginRequest& request, std::string_view secret) {
  const auto stamp = find_apop_stamp(request.greeting_text);
  if (!stamp) {
    throw Error(ErrorCode::server_permanent, "the server's greeting has no usable APOP time stamp", "use auth = \"auto\" over TLS");
  }
  return {.first = Command{.verb = Verb::apop, .argument = request.user + " " + apop_digest(*stamp, secret)}, .second = {}, .second_follows = {}};
}

}  // namespace

LoginCommands pass_gate(const LoginRequest& request, std::string_view secret) {
  if (!request.connection_secure && !request.allow_insecure_auth) {
    throw Error(ErrorCode::insecure_login, "the connection is not protected by TLS: no user name or password was sent",
                "use tls = \"implicit\" or \"starttls\"; allow_insecure_auth = true would send the password for everyone on the way to read");
  }
  switch (request.method) {
    case Method::apop: return apop_commands(request, secret);
    case Method::plain: return plain_commands(request.user, secret);
    case Method::user: break;
    case Method::automatic:
      if (request.capabilities.sasl_plain) return plain_commands(request.user, secret);
      break;
  }
  return {.first = Command{.verb = Verb::user, .argument = request.user},
          .second = Command{.verb = Verb::pass, .argument = std::string(secret)},
          .second_follows = pop3::Indicator::ok};
}

void wipe(LoginCommands& commands) {
  OPENSSL_cleanse(commands.first.argument.data(), commands.first.argument.size());
  if (commands.second) OPENSSL_cleanse(commands.second->argument.data(), commands.second->argument.size());
}

}  // namespace popsync::auth
