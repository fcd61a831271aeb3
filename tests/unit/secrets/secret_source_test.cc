// SPDX-License-Identifier: MIT
#include "secrets/secret_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <thread>

#include "base/error.h"
#include "secrets/password_command.h"

namespace popsync::secrets {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class SecretSourceTest : public testing::Test {
 protected:
  SecretSourceTest() {
    std::string pattern = testing::TempDir() + "popsync-secrets-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    ::unsetenv("CREDENTIALS_DIRECTORY");
  }
  ~SecretSourceTest() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view content, mode_t mode = 0600) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  std::string read(const SecretSpec& spec) { return std::string(read_secret(spec, hidden_, stop_).reveal()); }
  std::string read_file(const std::string& path) { return read({.kind = SourceKind::file, .value = path, .command = {}}); }
  std::string run(std::vector<std::string> argv) { return read({.kind = SourceKind::command, .value = {}, .command = std::move(argv)}); }
  std::string sh(const std::string& script) { return run({"/bin/sh", "-c", script}); }

  template <class Call>
  Error error_of(Call call) {
    try {
      call();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {ErrorCode::bug, ""};
  }

  std::string folder_;
  std::vector<std::string> hidden_;
  std::stop_source source_;
  StopSignal stop_{source_.get_token()};
};

TEST_F(SecretSourceTest, FileLosesOneLineEndAndNothingElse) {
  EXPECT_EQ(read_file(write("a", "s3cret")), "s3cret");
  EXPECT_EQ(read_file(write("b", "s3cret\n")), "s3cret");
  EXPECT_EQ(read_file(write("c", "s3cret\r\n")), "s3cret");
  EXPECT_EQ(read_file(write("d", "s3cret \n")), "s3cret ");
}

TEST_F(SecretSourceTest, FileWithMoreThanOneLineIsRefusedWithoutShowingIt) {
  for (const std::string& content :
       {std::string("sesame\nmore\n"), std::string("sesame\n\n"), std::string("sesame\rsesame"), std::string("sesame\0sesame", 13)}) {
    const Error error = error_of([&] { read_file(write("f", content)); });
    EXPECT_EQ(error.code(), ErrorCode::secret_unavailable);
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("sesame")));
  }
  EXPECT_THAT(error_of([&] { read_file(write("f", "\n")); }).message(), HasSubstr("is empty"));
}

TEST_F(SecretSourceTest, FileSizeIsLimitedAtTheEdge) {
  EXPECT_EQ(read_file(write("f", std::string(kSecretOctetsMax, 'x') + "\n")).size(), kSecretOctetsMax);
  EXPECT_THAT(error_of([&] { read_file(write("f", std::string(kSecretOctetsMax + 1, 'x'))); }).message(), HasSubstr("too large"));
  EXPECT_THAT(error_of([&] { read_file(write("f", std::string(4 * kSecretOctetsMax, 'x'))); }).message(), HasSubstr("too large"));
}

TEST_F(SecretSourceTest, FileThatOthersMayReadIsRefused) {
  const Error error = error_of([&] { read_file(write("f", "s3cret\n", 0644)); });
  EXPECT_EQ(error.code(), ErrorCode::secret_unavailable);
  EXPECT_THAT(error.message(), HasSubstr("others have access to it (mode 0644)"));
  EXPECT_THAT(error.hint(), HasSubstr("chmod 600"));
}

TEST_F(SecretSourceTest, FileThatIsNoRegularFileIsRefusedWithoutBlocking) {
  const std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { read_file(fifo); }).message(), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { read_file(folder_); }).message(), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { read_file(folder_ + "/absent"); }).message(), HasSubstr("No such file"));
}

TEST_F(SecretSourceTest, CredentialComesFromTheUnitsDirectoryWhateverItsMode) {
  write("mail", "s3cret\n", 0644);
  ::setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_EQ(read({.kind = SourceKind::credential, .value = "mail", .command = {}}), "s3cret");
  const Error error = error_of([&] { read({.kind = SourceKind::credential, .value = "absent", .command = {}}); });
  EXPECT_THAT(error.hint(), HasSubstr("LoadCredential=absent:"));
}

TEST_F(SecretSourceTest, CredentialOutsideTheUnitShowsTheLineThatTestsIt) {
  const Error error = error_of([&] { read({.kind = SourceKind::credential, .value = "mail", .command = {}}); });
  EXPECT_EQ(error.code(), ErrorCode::secret_unavailable);
  EXPECT_THAT(error.hint(), HasSubstr("systemd-run"));
  EXPECT_THAT(error.hint(), HasSubstr("LoadCredential=mail:"));
}

TEST_F(SecretSourceTest, VariableIsReadAndAnUnsetOneNamed) {
  ::setenv("POPSYNC_TEST_PASSWORD", "s3cret", 1);
  EXPECT_EQ(read({.kind = SourceKind::environment, .value = "POPSYNC_TEST_PASSWORD", .command = {}}), "s3cret");
  ::unsetenv("POPSYNC_TEST_PASSWORD");
  const Error error = error_of([&] { read({.kind = SourceKind::environment, .value = "POPSYNC_TEST_PASSWORD", .command = {}}); });
  EXPECT_EQ(error.message(), "environment variable POPSYNC_TEST_PASSWORD is not set");
}

TEST_F(SecretSourceTest, LiteralIsItself) {
  EXPECT_EQ(read({.kind = SourceKind::literal, .value = "s3cret", .command = {}}), "s3cret");
  EXPECT_EQ(error_of([&] { read({}); }).code(), ErrorCode::secret_unavailable);
}

TEST_F(SecretSourceTest, CommandGivesItsFirstLine) {
  EXPECT_EQ(sh("echo s3cret; echo login: me"), "s3cret");
  EXPECT_EQ(sh("printf s3cret"), "s3cret");
  EXPECT_EQ(sh("printf 's3cret\\r\\nmore'"), "s3cret");
  EXPECT_EQ(run({"printf", "%s", "$HOME;`id`"}), "$HOME;`id`") << "no shell may look at the arguments";
  EXPECT_EQ(sh("echo s3cret; head -c 1000000 /dev/zero"), "s3cret") << "what follows the first line may be any size";
}

TEST_F(SecretSourceTest, CommandOutputIsLimitedAtTheEdge) {
  const std::string max = std::to_string(kSecretOctetsMax);
  EXPECT_EQ(sh("head -c " + max + " /dev/zero | tr '\\0' x; echo").size(), kSecretOctetsMax);
  EXPECT_THAT(error_of([&] { sh("head -c " + max + " /dev/zero | tr '\\0' x; echo x"); }).message(), HasSubstr("too large"));
  EXPECT_THAT(error_of([&] { sh("head -c 1000000 /dev/zero | tr '\\0' x"); }).message(), HasSubstr("prints too much"));
}

TEST_F(SecretSourceTest, CommandThatFailsTellsItsStatusAndFirstComplaint) {
  const Error error = error_of([&] { sh("echo s3cret; printf 'no \\033key\\nmore\\n' >&2; exit 3"); });
  EXPECT_EQ(error.code(), ErrorCode::secret_unavailable);
  EXPECT_EQ(error.message(), "password_command \"/bin/sh\" failed with status 3: no \\x1bkey");
  EXPECT_THAT(error_of([&] { sh("kill -9 $$"); }).message(), HasSubstr("ended by signal 9"));
  EXPECT_THAT(error_of([&] { sh(":"); }).message(), HasSubstr("printed nothing"));
  EXPECT_THAT(error_of([&] { sh("echo"); }).message(), HasSubstr("is empty"));
  EXPECT_THAT(error_of([&] { run({"popsync-no-such-program"}); }).message(), HasSubstr("is not in PATH"));
  EXPECT_THAT(error_of([&] { run({folder_ + "/absent"}); }).message(), HasSubstr("No such file"));
  EXPECT_THAT(error_of([&] { run({write("plain", "echo s3cret\n", 0600)}); }).message(), HasSubstr("Permission denied"));
}

TEST_F(SecretSourceTest, CommandSeesNoVariableThatHoldsAPassword) {
  ::setenv("POPSYNC_TEST_PASSWORD", "s3cret", 1);
  ::setenv("POPSYNC_TEST_PASSWORD_HINT", "kept", 1);
  hidden_ = {"POPSYNC_TEST_PASSWORD"};
  EXPECT_EQ(sh("echo \"${POPSYNC_TEST_PASSWORD-none} $POPSYNC_TEST_PASSWORD_HINT\""), "none kept");
  ::unsetenv("POPSYNC_TEST_PASSWORD");
  ::unsetenv("POPSYNC_TEST_PASSWORD_HINT");
}

TEST_F(SecretSourceTest, CommandSeesNothingThatTheServiceManagerTellsUsAlone) {
  const std::vector<std::string> managers = {"CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
                                             "LISTEN_FDNAMES",        "FDSTORE"};
  const std::vector<std::string> harmless = {"INVOCATION_ID", "NOTIFY_SOCKET_OF_OURS", "STATE_DIRECTORY"};
  for (const std::string& name : managers) ::setenv(name.c_str(), "hidden", 1);
  for (const std::string& name : harmless) ::setenv(name.c_str(), "shown", 1);
  EXPECT_EQ(sh("env | grep -c '=hidden$' || true"), "0");
  EXPECT_EQ(sh("env | grep -c '=shown$'"), std::to_string(harmless.size()));
  for (const std::string& name : managers) ::unsetenv(name.c_str());
  for (const std::string& name : harmless) ::unsetenv(name.c_str());
}

TEST_F(SecretSourceTest, CommandGetsNoInputNoForeignDescriptorAndAGroupOfItsOwn) {
  EXPECT_EQ(sh("if read line; then echo input; else echo none; fi"), "none");
  const int open_without_cloexec = ::dup(1);
  ASSERT_GE(open_without_cloexec, 3);
  EXPECT_EQ(sh("if [ -e /proc/self/fd/" + std::to_string(open_without_cloexec) + " ]; then echo open; else echo closed; fi"), "closed");
  ::close(open_without_cloexec);
  EXPECT_EQ(sh("set -- $(cat /proc/$$/stat); if [ \"$5\" = $$ ]; then echo own; else echo shared; fi"), "own");
}

TEST_F(SecretSourceTest, CommandRunsWithDefaultSignals) {
  struct sigaction before {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;  // NOLINT: the macro is a C cast
  ASSERT_EQ(::sigaction(SIGPIPE, &ignore, &before), 0);
  const std::string ignored = sh("grep -i sigign /proc/self/status | cut -f2");
  ::sigaction(SIGPIPE, &before, nullptr);
  EXPECT_EQ(std::stoull(ignored, nullptr, 16) & (1ULL << (SIGPIPE - 1U)), 0U) << ignored;
}

TEST_F(SecretSourceTest, CommandIsNotHeldUpByAnAgentItLeavesBehind) {
  const std::string pid_file = folder_ + "/pid";
  EXPECT_EQ(sh("tail -f /dev/null & echo $! >" + pid_file + "; echo s3cret"), "s3cret");
  pid_t agent = 0;
  std::ifstream(pid_file) >> agent;
  ASSERT_GT(agent, 0);
  EXPECT_EQ(::kill(agent, SIGKILL), 0) << "the agent of a command that succeeded is left alone";
}

TEST_F(SecretSourceTest, CommandIsKilledWithItsGroupOnStop) {
  const std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  // The grandchild holds the writing end until it dies, so the reader's end of file proves its death.
  std::jthread reader([&] {
    std::ifstream input(fifo);
    std::string line;
    std::getline(input, line);
    source_.request_stop();
    EXPECT_EQ(line, "started");
    EXPECT_FALSE(std::getline(input, line));
  });
  const Error error = error_of([&] { sh("(echo started; exec tail -f /dev/null) >" + fifo + "; echo s3cret"); });
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
}

TEST_F(SecretSourceTest, CommandThatTakesTooLongIsKilled) {
  const auto run_with_limit = [&](const std::string& script) {
    SecretBuffer output(1024);
    run_password_command({"/bin/sh", "-c", script}, {}, std::chrono::milliseconds(50), -1, stop_, output);
  };
  EXPECT_THAT(error_of([&] { run_with_limit("exec tail -f /dev/null"); }).message(), HasSubstr("did not finish in time"));
  EXPECT_THAT(error_of([&] { run_with_limit("exec tail -f /dev/null >/dev/null 2>&1"); }).message(), HasSubstr("did not finish in time"))
      << "closing both streams does not lift the limit";
}

}  // namespace
}  // namespace popsync::secrets
