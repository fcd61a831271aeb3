// SPDX-License-Identifier: MIT
#include "config/config_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "unit/config/temp_folder.h"

namespace popsync::config {
namespace {

using secrets::SourceKind;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kWork = R"([accounts.work]
host = "pop.example.org"
user = "me@example.org"
password_file = "~/secret"
maildir = "~/Mail/work"
)";

class ConfigLoader : public testing::Test {
 protected:
  LoadResult load_text(std::string_view text, mode_t mode = 0600) { return load(folder_.write("popsync.toml", text, mode), "/home/me", true); }
  Config load_well(std::string_view text) {
    LoadResult result = load_text(text);
    for (const Diagnostic& diagnostic : result.diagnostics) ADD_FAILURE() << to_text(diagnostic);
    return result.config;
  }
  std::vector<std::string> texts_of(const LoadResult& result) {
    std::vector<std::string> texts;
    for (const Diagnostic& diagnostic : result.diagnostics) texts.push_back(diagnostic.text);
    return texts;
  }

  TempFolder folder_;
};

TEST_F(ConfigLoader, AMissingMainFileIsNoMistakeUnlessItWasNamed) {
  const LoadResult nothing = load(folder_.path() + "/popsync.toml", "/home/me", false);
  EXPECT_TRUE(nothing.diagnostics.empty());
  EXPECT_TRUE(nothing.config.accounts.empty());
  EXPECT_TRUE(nothing.config.files.empty());
  EXPECT_EQ(nothing.config.daemon.max_sessions, 32U);
  try {
    load(folder_.path() + "/popsync.toml", "/home/me", true);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::file_not_found);
  }
}

TEST_F(ConfigLoader, AFileThatCannotBeReadIsAnErrorAndNotAnEmptyConfiguration) {
  const std::string directory = folder_.path() + "/directory.toml";
  std::filesystem::create_directory(directory);
  EXPECT_THROW(load(directory, "/home/me", false), Error);
  folder_.write("conf.d", "a file where the folder belongs");
  EXPECT_THROW(load(folder_.path() + "/popsync.toml", "/home/me", false), Error);
}

TEST_F(ConfigLoader, DropInsAreReadInByteOrderAfterTheMainFile) {
  folder_.write("conf.d/b.toml", "[accounts.b]\nhost = \"h\"\nuser = \"b\"\npassword_env = \"B\"\nmaildir = \"/m/b\"\n");
  folder_.write("conf.d/B.toml", "[accounts.a]\nhost = \"h\"\nuser = \"a\"\npassword_env = \"A\"\nmaildir = \"/m/a\"\n");
  folder_.write("conf.d/.#b.toml", "what an editor left behind");
  folder_.write("conf.d/c.toml.bak", "not read");
  const LoadResult without_main = load(folder_.path() + "/popsync.toml", "/home/me", false);
  EXPECT_TRUE(without_main.diagnostics.empty());
  EXPECT_THAT(without_main.config.files, ElementsAre(folder_.path() + "/conf.d/B.toml", folder_.path() + "/conf.d/b.toml"));

  const Config config = load_well("[defaults]\ninterval = \"7m\"\n[daemon]\nmax_sessions = 7\n");
  EXPECT_THAT(config.files, ElementsAre(folder_.path() + "/popsync.toml", folder_.path() + "/conf.d/B.toml", folder_.path() + "/conf.d/b.toml"));
  ASSERT_EQ(config.accounts.size(), 2U);
  EXPECT_EQ(config.accounts[0].name, "a");
  EXPECT_EQ(config.accounts[1].interval, std::chrono::minutes(7));
  EXPECT_EQ(config.daemon.max_sessions, 7U);
  EXPECT_THAT(config.password_variables(), ElementsAre("A", "B"));
}

TEST_F(ConfigLoader, ADanglingDropInIsAnErrorAndNotOverlooked) {
  folder_.write("popsync.toml", kWork);
  std::filesystem::create_directory(folder_.path() + "/conf.d");
  std::filesystem::create_symlink("/nonexistent/x.toml", folder_.path() + "/conf.d/x.toml");
  EXPECT_THROW(load(folder_.path() + "/popsync.toml", "/home/me", false), Error);
}

TEST_F(ConfigLoader, EachKeyReachesItsField) {
  const Config config = load_well(R"([daemon]
max_sessions = 8
max_sessions_per_host = 2
log_level = "warning"
log_format = "json"
[accounts.work]
enabled = false
host = "pop.example.org"
port = 1100
tls = "starttls"
allow_insecure_auth = true
user = "me@example.org"
auth = "plain"
password_command = ["pass", "mail/{name}", "~/x"]
secret_lifetime = "0s"
maildir = "~//Mail/./{name}/"
leave_on_server = "14d"
max_message_size = "25MB"
min_free_space = "1GiB"
interval = "10s"
pipelining = "on"
rset_before_quit = true
skip_first_message = true
tls_ca_file = "~/ca.pem"
tls_trust = "ca+pin"
tls_pin_sha256 = ["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
tls_min_version = "1.3"
)");
  EXPECT_EQ(config.daemon.max_sessions, 8U);
  EXPECT_EQ(config.daemon.max_sessions_per_host, 2U);
  EXPECT_EQ(config.daemon.log_level, "warning");
  EXPECT_EQ(config.daemon.log_format, LogFormatKey::json);
  const Account* const account = config.find("work");
  ASSERT_NE(account, nullptr);
  EXPECT_EQ(config.find("wor"), nullptr);
  EXPECT_FALSE(account->enabled);
  EXPECT_EQ(account->endpoint, (net::Endpoint{.host = "pop.example.org", .port = 1100}));
  EXPECT_TRUE(account->allow_insecure_auth);
  EXPECT_EQ(account->user, "me@example.org");
  EXPECT_EQ(account->auth, AuthMethod::plain);
  EXPECT_EQ(account->secret.kind, SourceKind::command);
  EXPECT_THAT(account->secret.command, ElementsAre("pass", "mail/work", "/home/me/x"));
  EXPECT_EQ(account->secret_lifetime, std::chrono::seconds(0));
  EXPECT_EQ(account->maildir, "/home/me/Mail/work");
  EXPECT_EQ(account->leave_on_server, (LeaveOnServer{.kind = LeaveOnServer::Kind::remove_after, .age = std::chrono::hours(14 * 24)}));
  EXPECT_EQ(account->max_message_size, 25'000'000U);
  EXPECT_EQ(account->min_free_space, 1U << 30U);
  EXPECT_EQ(account->interval, std::chrono::seconds(10));
  EXPECT_EQ(account->pipelining, Pipelining::on);
  EXPECT_TRUE(account->rset_before_quit);
  EXPECT_TRUE(account->skip_first_message);
  EXPECT_EQ(account->tls.mode, net::TlsMode::starttls);
  EXPECT_EQ(account->tls.trust, net::TlsTrust::ca_and_pin);
  EXPECT_EQ(account->tls.ca_file, "/home/me/ca.pem");
  ASSERT_EQ(account->tls.pins_sha256.size(), 1U);
  EXPECT_EQ(account->tls.pins_sha256.front().size(), 32U);
  EXPECT_EQ(account->tls.version_min, net::TlsVersion::v1_3);
}

TEST_F(ConfigLoader, DefaultsServeEachAccountAndAreOverridden) {
  const Config config = load_well(R"([defaults]
host = "pop.example.org"
maildir = "/mail/{host}/{user}/{name}"
password_file = "/secrets/{name}"
tls = "starttls"
interval = "1h"
[accounts.a]
user = "ann"
[accounts.b]
user = "bob"
host = "pop.example.net"
tls = "implicit"
interval = "2h"
password_credential = "pop-{name}"
)");
  const Account& a = config.accounts.at(0);
  const Account& b = config.accounts.at(1);
  EXPECT_EQ(a.maildir, "/mail/pop.example.org/ann/a");
  EXPECT_EQ(a.secret, (secrets::SecretSpec{.kind = SourceKind::file, .value = "/secrets/a", .command = {}}));
  EXPECT_EQ(a.endpoint.port, 110);
  EXPECT_EQ(b.maildir, "/mail/pop.example.net/bob/b");
  EXPECT_EQ(b.secret, (secrets::SecretSpec{.kind = SourceKind::credential, .value = "pop-b", .command = {}}));
  EXPECT_EQ(b.endpoint.port, 995);
  EXPECT_EQ(b.interval, std::chrono::hours(2));
  // Where each value in force was written.
  EXPECT_EQ(a.origin.line, 7U);
  EXPECT_EQ(a.origins.at("interval").line, 6U);
  EXPECT_EQ(a.origins.at("user").line, 8U);
  EXPECT_EQ(b.origins.at("interval").line, 13U);
  EXPECT_EQ(b.origins.at("user").file, folder_.path() + "/popsync.toml");
  EXPECT_FALSE(b.origins.contains("password_file"));
  EXPECT_FALSE(b.origins.contains("port"));
}

TEST_F(ConfigLoader, AFileWithAPasswordMustBeOursAlone) {
  const std::string text = "[accounts.work]\nhost = \"h\"\nuser = \"u\"\nmaildir = \"/m\"\npassword = \"s3cret\"\n";
  EXPECT_TRUE(load_text(text, 0600).diagnostics.empty());
  EXPECT_TRUE(load_text(text, 0640).diagnostics.empty()) << "our own group may read it";
  const LoadResult exposed = load_text(text, 0644);
  ASSERT_EQ(exposed.diagnostics.size(), 1U);
  EXPECT_EQ(exposed.diagnostics.front().where.line, 5U);
  EXPECT_THAT(exposed.diagnostics.front().text, HasSubstr("others have access to it (mode 0644); expected chmod 600 " + folder_.path()));
  EXPECT_THAT(exposed.diagnostics.front().text, testing::Not(HasSubstr("s3cret")));
  EXPECT_EQ(load_text("[defaults]\npassword = \"s3cret\"\n", 0604).diagnostics.size(), 1U);
  EXPECT_TRUE(load_text(kWork, 0644).diagnostics.empty()) << "without a password in it everyone may read it";
}

TEST_F(ConfigLoader, ASyntaxErrorStandsAlone) {
  folder_.write("conf.d/a.toml", "[accounts.work\n");
  const LoadResult result = load_text("[daemon]\nunknown = 1\n");
  ASSERT_EQ(result.diagnostics.size(), 1U);
  EXPECT_EQ(result.diagnostics.front().where.file, folder_.path() + "/conf.d/a.toml");
  EXPECT_THAT(result.diagnostics.front().text, HasSubstr("syntax error"));
}

TEST_F(ConfigLoader, ClearTextIsAllowedOnlyWhenAskedFor) {
  EXPECT_EQ(load_text(std::string(kWork) + "tls = \"none\"\n").diagnostics.size(), 1U);
  EXPECT_EQ(load_text(std::string(kWork) + "tls = \"none\"\nauth = \"apop\"\n").diagnostics.size(), 1U);
  const Config config = load_well(std::string(kWork) + "tls = \"none\"\nallow_insecure_auth = true\n");
  EXPECT_EQ(config.accounts.front().endpoint.port, 110);
}

TEST_F(ConfigLoader, OneMaildropIsReadByOneEnabledAccount) {
  const std::string other = "[accounts.other]\nhost = \"POP.EXAMPLE.ORG\"\nuser = \"me@example.org\"\npassword_env = \"P\"\nmaildir = \"/m\"\n";
  EXPECT_EQ(load_text(std::string(kWork) + other).diagnostics.size(), 1U);
  EXPECT_TRUE(load_text(std::string(kWork) + other + "enabled = false\n").diagnostics.empty());
  const std::string user =
      "[accounts.other]\nhost = \"pop.example.org\"\nuser = \"ME@example.org\"\npassword_env = \"P\"\nmaildir = \"~/Mail/work\"\n";
  EXPECT_TRUE(load_text(std::string(kWork) + user).diagnostics.empty()) << "user names have cases, and one Maildir may serve two accounts";
}

TEST_F(ConfigLoader, LimitsHoldAtTheirEdges) {
  for (const std::string_view line :
       {"interval = \"10s\"", "interval = \"30d\"", "max_message_size = \"1B\"", "max_message_size = \"1TiB\"", "port = 1", "port = 65535",
        "secret_lifetime = \"30d\"", "leave_on_server = \"1s\"", "leave_on_server = \"3650d\""}) {
    EXPECT_TRUE(load_text(std::string(kWork) + std::string(line)).diagnostics.empty()) << line;
  }
  for (const std::string_view line :
       {"interval = \"9s\"", "interval = \"2592001s\"", "max_message_size = \"0B\"", "max_message_size = \"1025GiB\"", "port = 0", "port = 65536",
        "port = -1", "secret_lifetime = \"721h\"", "leave_on_server = \"0d\"", "leave_on_server = \"3651d\""}) {
    EXPECT_EQ(load_text(std::string(kWork) + std::string(line)).diagnostics.size(), 1U) << line;
  }
  EXPECT_TRUE(load_text("[daemon]\nmax_sessions = 1\nmax_sessions_per_host = 1000\n").diagnostics.empty());
  EXPECT_EQ(load_text("[daemon]\nmax_sessions = 0\nmax_sessions_per_host = 1001\n").diagnostics.size(), 2U);
  const auto named = [&](std::size_t size) {
    return load_text("[accounts." + std::string(size, 'a') + std::string(kWork).substr(14)).diagnostics.size();
  };
  EXPECT_EQ(named(64), 0U);
  EXPECT_EQ(named(65), 1U);
}

TEST_F(ConfigLoader, HomeIsNeededOnlyWhereItIsUsed) {
  const std::string file = folder_.write("popsync.toml", kWork);
  EXPECT_THAT(texts_of(load(file, "", true)), ElementsAre(HasSubstr("password_file: account \"work\": \"~/\" needs a home folder"),
                                                          HasSubstr("maildir: account \"work\": \"~/\" needs a home folder")));
  const std::string absolute = folder_.write("popsync.toml", "[accounts.a]\nhost = \"h\"\nuser = \"u\"\nmaildir = \"/m\"\npassword_env = \"P\"\n");
  EXPECT_TRUE(load(absolute, "", true).diagnostics.empty());
}

TEST_F(ConfigLoader, OdditiesAreWarningsThatDoNotStopAnything) {
  const LoadResult port = load_text(std::string(kWork) + "port = 110\n");
  EXPECT_TRUE(port.diagnostics.empty());
  EXPECT_THAT(port.warnings, ElementsAre(HasSubstr("popsync.toml:6:1: port: 110 is the port without implicit TLS")));
  EXPECT_THAT(load_text(std::string(kWork) + "port = 995\ntls = \"starttls\"\n").warnings, ElementsAre(HasSubstr("995 is the port of implicit TLS")));
  EXPECT_THAT(load_text(std::string(kWork) + "port = 99999\ntls = \"starttls\"\n").warnings, testing::IsEmpty()) << "nobody wrote 995";
  EXPECT_THAT(load_text(std::string(kWork) + "tls_pin_sha256 = [\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]\n").warnings,
              ElementsAre(HasSubstr("nothing looks at pins")));
  EXPECT_TRUE(load_text(kWork).warnings.empty());
  std::string tunnels;
  for (const std::string number : {"10001", "10002", "10003"}) {
    tunnels += "[accounts.tunnel" + number + "]\nhost = \"localhost\"\nuser = \"me\"\npassword = \"x\"\nmaildir = \"/mail\"\nport = " + number + "\n";
  }
  const auto shared = load_text(tunnels);
  EXPECT_TRUE(shared.diagnostics.empty());
  EXPECT_THAT(shared.warnings, ElementsAre(HasSubstr("both read user \"me\" at localhost, on different ports")));
  EXPECT_TRUE(shared.config.accounts.at(0).port_counts);
}

TEST_F(ConfigLoader, ForeignTextIsEscapedInDiagnostics) {
  const LoadResult result = load_text("[daemon]\n\"a\\u001b[2Jb\" = 1\n");
  EXPECT_THAT(texts_of(result), ElementsAre("unknown key \"a\\x1b[2Jb\" in [daemon]"));
}

}  // namespace
}  // namespace popsync::config
