// SPDX-License-Identifier: MIT
#include "auth/credential_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "base/error.h"

namespace popsync::auth {
namespace {

using pop3::Verb;
using testing::HasSubstr;

constexpr const char* kStampedGreeting = "ready <1896.697170952@dbc.mtview.ca.us>";

LoginRequest secure_request(Method method = Method::automatic) {
  return {.method = method,
          .connection_secure = true,
          .allow_insecure_auth = false,
          .user = "joe",
          .greeting_text = kStampedGreeting,
          .capabilities = {}};
}

ErrorCode refusal_of(const LoginRequest& request, std::string_view secret) {
  try {
    (void)pass_gate(request, secret);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "the gate was passed";
  return ErrorCode::bug;
}

// A secret that cannot be looked at without dying.
class UntouchableSecret {
 public:
  UntouchableSecret() : page_(::mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  UntouchableSecret(const UntouchableSecret&) = delete;
  UntouchableSecret& operator=(const UntouchableSecret&) = delete;
  ~UntouchableSecret() { ::munmap(page_, kSize); }
  [[nodiscard]] bool mapped() const { return page_ != MAP_FAILED; }
  [[nodiscard]] std::string_view view() const { return {static_cast<const char*>(page_), 8}; }

 private:
  static constexpr std::size_t kSize = 4096;
  void* page_;
};

TEST(CredentialGate, WithoutTlsAndOptInTheSecretIsNotEvenLookedAt) {
  const UntouchableSecret secret;
  ASSERT_TRUE(secret.mapped());
  for (const Method method : {Method::automatic, Method::user, Method::plain, Method::apop}) {
    LoginRequest request = secure_request(method);
    request.connection_secure = false;
    request.capabilities.sasl_plain = true;
    request.capabilities.stls = true;
    EXPECT_EQ(refusal_of(request, secret.view()), ErrorCode::insecure_login);
  }
}

TEST(CredentialGate, TheRefusalSaysThatNothingWasSentAndWhatToDo) {
  LoginRequest request = secure_request();
  request.connection_secure = false;
  try {
    (void)pass_gate(request, "secret");
    ADD_FAILURE() << "the gate was passed";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("no user name or password was sent"));
    EXPECT_THAT(error.hint(), HasSubstr("starttls"));
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
  }
}

TEST(CredentialGate, AnOptInOpensItWithoutTls) {
  LoginRequest request = secure_request();
  request.connection_secure = false;
  request.allow_insecure_auth = true;
  EXPECT_EQ(pass_gate(request, "secret").first.verb, Verb::user);
}

TEST(CredentialGate, AutomaticTakesPlainWhereItIsAnnounced) {
  LoginRequest request = secure_request();
  request.capabilities.announced = true;
  request.capabilities.user = true;
  request.capabilities.sasl_plain = true;
  const LoginCommands commands = pass_gate(request, "secret");
  EXPECT_EQ(commands.first.verb, Verb::auth);
  EXPECT_EQ(commands.first.argument, "PLAIN AGpvZQBzZWNyZXQ=");
  EXPECT_FALSE(commands.second.has_value());
}

TEST(CredentialGate, AutomaticTakesUserAndPassElseAndNeverApop) {
  LoginRequest request = secure_request();
  request.capabilities.sasl_plain = false;
  const LoginCommands commands = pass_gate(request, "my secret");
  EXPECT_EQ(pop3::to_wire(commands.first), "USER joe\r\n");
  EXPECT_EQ(pop3::to_wire(commands.second.value()), "PASS my secret\r\n");
}

TEST(CredentialGate, AMethodThatWasAskedForIsTakenWhateverIsAnnounced) {
  LoginRequest user = secure_request(Method::user);
  user.capabilities.sasl_plain = true;
  EXPECT_EQ(pass_gate(user, "secret").first.verb, Verb::user);
  EXPECT_EQ(pass_gate(secure_request(Method::plain), "secret").first.verb, Verb::auth);
}

TEST(CredentialGate, ApopSendsADigestAndNotTheSecret) {
  const LoginCommands commands = pass_gate(secure_request(Method::apop), "tanstaaf");
  EXPECT_EQ(pop3::to_wire(commands.first), "APOP joe c4c9334bac560ecc979e58001b3e22fb\r\n");
  EXPECT_FALSE(commands.second.has_value());
}

TEST(CredentialGate, ApopWithoutAUsableStampFallsBackToNothing) {
  for (const std::string greeting : {"ready", "ready <a\x80@b>"}) {
    LoginRequest request = secure_request(Method::apop);
    request.greeting_text = greeting;
    request.capabilities.sasl_plain = true;
    EXPECT_EQ(refusal_of(request, "secret"), ErrorCode::server_permanent);
  }
}

// protocol.md 47, RFC 5034 section 4
TEST(CredentialGate, ACommandOver255OctetsGoesWithoutInitialResponse) {
  const std::string longest(175, 'x');  // NUL joe NUL and this: 180 octets, 240 in base64
  const LoginCommands at_limit = pass_gate(secure_request(Method::plain), longest);
  EXPECT_EQ(pop3::to_wire(at_limit.first).size(), 253U);
  EXPECT_FALSE(at_limit.second.has_value());

  const LoginCommands over = pass_gate(secure_request(Method::plain), longest + "x");
  EXPECT_EQ(pop3::to_wire(over.first), "AUTH PLAIN\r\n");
  ASSERT_TRUE(over.second.has_value());
  EXPECT_EQ(over.second->verb, Verb::auth_response);
  EXPECT_EQ(over.second->argument.size(), 244U);
  EXPECT_EQ(over.second->argument.find_first_of("\r\n="), over.second->argument.find('='));  // one line
}

TEST(CredentialGate, ASecretOfAnyOctetsIsEncodedWhole) {
  EXPECT_EQ(pass_gate(secure_request(Method::plain), "\xc3\xa9 \x7f").first.argument, "PLAIN AGpvZQDDqSB/");
}

TEST(CredentialGate, WipeOverwritesEveryArgument) {
  LoginCommands commands = pass_gate(secure_request(Method::user), "secret");
  const std::size_t user_octets = commands.first.argument.size();
  wipe(commands);
  EXPECT_EQ(commands.first.argument, std::string(user_octets, '\0'));
  EXPECT_EQ(commands.second->argument, std::string(6, '\0'));

  LoginCommands plain = pass_gate(secure_request(Method::plain), "secret");
  wipe(plain);
  EXPECT_TRUE(std::ranges::all_of(plain.first.argument, [](char c) { return c == '\0'; }));
}

}  // namespace
}  // namespace popsync::auth
