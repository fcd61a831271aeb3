// SPDX-License-Identifier: MIT
// A password that a program gives to the program: what the one is told of the service manager, and what the other keeps of the password.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/unique_fd.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kAreaOctetsMax = 1U << 30U;  // larger ones are shadows of a sanitizer

struct PasswordCommand : testing::Test {
  void SetUp() override { server.add(small_message("one")); }
  void configure(const std::string& command, const std::string& lifetime) const {
    home.configure_with("[accounts.home]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
                        "\nuser = \"alice\"\ntls = \"none\"\nallow_insecure_auth = true\nmaildir = \"" + home.maildir() +
                        "\"\npassword_command = [\"sh\", \"-c\", \"" + command + "\"]\nsecret_lifetime = \"" + lifetime + "\"\n");
  }
  // How often the password stands in the memory of a process. Empty where it may not be looked at: that takes root.
  static std::optional<int> passwords_in_memory(pid_t pid) {
    const std::string process = "/proc/" + std::to_string(pid);
    const UniqueFd memory(::open((process + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
    if (!memory.valid()) return std::nullopt;
    int count = 0;
    std::ifstream areas(process + "/maps");
    for (std::string line; std::getline(areas, line);) {
      std::istringstream words(line);
      std::uint64_t begin = 0;
      std::uint64_t end = 0;
      std::string rights;
      words >> std::hex >> begin >> std::ws;
      words.ignore(1, '-');
      words >> end >> rights;
      if (!rights.starts_with("rw") || end - begin > kAreaOctetsMax) continue;
      std::string octets(end - begin, '\0');
      const ssize_t got = ::pread(memory.get(), octets.data(), octets.size(), static_cast<off_t>(begin));
      if (got <= 0) continue;
      octets.resize(static_cast<std::size_t>(got));
      for (auto at = octets.find(MaildropServer::kPassword); at != std::string::npos; at = octets.find(MaildropServer::kPassword, at + 1)) ++count;
    }
    return count;
  }
  // Of a daemon whose first session is over.
  std::optional<int> passwords_left(const std::string& lifetime) {
    configure("cat '" + password + "'", lifetime);
    const auto daemon = home.start({"run"});
    EXPECT_TRUE(daemon->wait_for_err("1 message fetched")) << daemon->err();
    const auto left = passwords_in_memory(daemon->pid());
    daemon->signal(SIGTERM);
    EXPECT_EQ(daemon->wait().status, 0) << daemon->err();
    return left;
  }

  MaildropServer server;
  ProgramHome home;
  std::string password = home.folder().write("password", std::string(MaildropServer::kPassword) + "\n");
};

TEST_F(PasswordCommand, ThePasswordIsGoneAfterTheSessionThatReadItUnlessItHasALifetime) {
  const auto left = passwords_left("0s");
  if (!left) {
    std::cout << "not tried: the memory of a process that guards it is shown to root alone\n";
    return;
  }
  EXPECT_EQ(left, 0);
  server.add(small_message("two"));
  EXPECT_GE(passwords_left("12h"), 1) << "or this test does not see it";
}

TEST_F(PasswordCommand, IsToldNothingThatGivesPowerOverTheServiceOrShowsItsSecrets) {
  const std::string told = home.folder() / "told";
  configure("env >'" + told + "'; cat '" + password + "'", "12h");
  ProgramCall call = home.call({"sync"});
  call.environment.insert({{"CREDENTIALS_DIRECTORY", home.folder().path()},
                           {"NOTIFY_SOCKET", home.folder() / "notify"},
                           {"WATCHDOG_USEC", "120000000"},
                           {"WATCHDOG_PID", "1"},
                           {"LISTEN_FDS", "1"},
                           {"LISTEN_PID", "1"},
                           {"LISTEN_FDNAMES", "stored"},
                           {"FDSTORE", "1"},
                           {"INVOCATION_ID", "0123456789abcdef"}});
  const ProgramResult sync = run_program(call);
  EXPECT_EQ(sync.status, 0) << sync.err;
  const std::string variables = home.folder().read("told");
  EXPECT_THAT(variables, HasSubstr("INVOCATION_ID=0123456789abcdef"));
  for (const char* name : {"CREDENTIALS_DIRECTORY=", "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "FDSTORE="})
    EXPECT_THAT(variables, Not(HasSubstr(name)));
}

}  // namespace
}  // namespace popsync::test
