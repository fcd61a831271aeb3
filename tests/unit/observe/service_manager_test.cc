// SPDX-License-Identifier: MIT
#include "observe/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/unique_fd.h"
#include "observe/start_patience.h"

namespace popsync::observe {
namespace {

using namespace std::chrono_literals;

// Stands in for systemd: a datagram socket that NOTIFY_SOCKET names. Leaves no variable behind.
class ServiceManagerTest : public testing::Test {
 protected:
  ServiceManagerTest() {
    forget_variables();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // Only the family: the kernel picks a free name in the abstract space.
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)), 0) << std::strerror(errno);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    name_ = "@" + std::string(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  }
  ~ServiceManagerTest() override { forget_variables(); }

  void listen() const { ::setenv("NOTIFY_SOCKET", name_.c_str(), 1); }

  // What was sent, without waiting: a datagram between two local sockets is there when send() returns.
  [[nodiscard]] std::string received() const {
    std::array<char, 4096> buffer{};
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return size < 0 ? std::string("nothing") : std::string(buffer.data(), static_cast<std::size_t>(size));
  }

  static void forget_variables() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "SYSTEMD_EXEC_PID", "JOURNAL_STREAM", "INVOCATION_ID"})
      ::unsetenv(name);
  }

 private:
  UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::string name_;
};

TEST_F(ServiceManagerTest, StartThatGetsOnAsksForPatience) {
  listen();
  const StartPatience patience(100ms);
  std::string told = "nothing";
  while (told == "nothing") told = received();  // which is work
  EXPECT_EQ(told, "EXTEND_TIMEOUT_USEC=60000000");
}

TEST_F(ServiceManagerTest, EachMessageIsOneDatagram) {
  listen();
  notify_ready();
  EXPECT_EQ(received(), "READY=1");
  notify_stopping();
  EXPECT_EQ(received(), "STOPPING=1");
  notify_watchdog();
  EXPECT_EQ(received(), "WATCHDOG=1");
  notify_status("3 accounts, 1 needs an operator");
  EXPECT_EQ(received(), "STATUS=3 accounts, 1 needs an operator");
  EXPECT_EQ(received(), "nothing");
}

TEST_F(ServiceManagerTest, ReloadingCarriesItsTime) {
  listen();
  const auto before = std::chrono::steady_clock::now().time_since_epoch();
  notify_reloading();
  const auto after = std::chrono::steady_clock::now().time_since_epoch();
  const std::string message = received();
  const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_EQ(message.substr(0, head.size()), head);
  const std::chrono::microseconds sent(std::stoll(message.substr(head.size())));
  EXPECT_GE(sent, std::chrono::floor<std::chrono::microseconds>(before));
  EXPECT_LE(sent, after);
}

TEST_F(ServiceManagerTest, StatusCannotSmuggleInAnotherAssignment) {
  listen();
  notify_status("error\nMAINPID=1");
  EXPECT_EQ(received(), "STATUS=error\\x0aMAINPID=1");
}

TEST_F(ServiceManagerTest, OutsideAUnitNothingIsSentAndNothingFails) {
  notify_ready();
  notify_status("on a terminal");
  EXPECT_EQ(received(), "nothing");
  EXPECT_FALSE(running_under_systemd());
  EXPECT_FALSE(stderr_is_journal());
  EXPECT_EQ(watchdog_period(), std::nullopt);
}

TEST_F(ServiceManagerTest, AbsentServiceManagerDoesNotStopTheDaemon) {
  ::setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
  EXPECT_NO_THROW(notify_ready());
}

TEST_F(ServiceManagerTest, HeartBeatsAtHalfOfTheWatchdogsTime) {
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  EXPECT_EQ(watchdog_period(), 30s);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_period(), 30s);
}

TEST_F(ServiceManagerTest, WatchdogOfAnotherProcessIsNotOurs) {
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(watchdog_period(), std::nullopt);
}

TEST_F(ServiceManagerTest, OnlyTheProcessThatSystemdStartedRunsUnderIt) {
  ::setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef", 1);
  ::setenv("SYSTEMD_EXEC_PID", "1", 1);
  EXPECT_FALSE(running_under_systemd());
  ::setenv("SYSTEMD_EXEC_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_TRUE(running_under_systemd());
}

TEST_F(ServiceManagerTest, ServiceManagerThatListensIsEnough) {
  listen();
  EXPECT_TRUE(running_under_systemd());
}

TEST_F(ServiceManagerTest, StderrIsTheJournalOnlyWhileItIsTheNamedStream) {
  struct stat status {};
  ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
  ::setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
  EXPECT_TRUE(stderr_is_journal());
  ::setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino + 1)).c_str(), 1);
  EXPECT_FALSE(stderr_is_journal());
  ::setenv("JOURNAL_STREAM", "garbage", 1);
  EXPECT_FALSE(stderr_is_journal());
}

}  // namespace
}  // namespace popsync::observe
