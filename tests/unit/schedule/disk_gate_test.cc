// SPDX-License-Identifier: MIT
#include "schedule/disk_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace popsync::schedule {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::size_t kSessionsMax = 2;

// Accounts named "disk/name": their mailstores lie on that disk.
struct DiskGateTest : testing::Test {
  void run(const std::string& account) {
    queue.put(account, "host", now);
    ASSERT_EQ(queue.pop(now), account);
    ASSERT_TRUE(gate.admits(account, kSessionsMax));
    gate.begin(account, now);
  }
  void end(const std::string& account) {
    waits.erase(account);
    queue.finish(account);
    gate.end(account);
  }
  std::vector<std::string> look() { return gate.look(now, queue, kSessionsMax); }
  bool admits(const std::string& account) { return gate.admits(account, kSessionsMax); }
  static std::string disk_of(const std::string& account) { return account.substr(0, account.find('/')); }

  SteadyTime now{1h};
  std::map<std::string, SteadyTime> waits;  // accounts whose session waits for its disk
  DueQueue queue{{.sessions_max = kSessionsMax, .sessions_per_host_max = kSessionsMax}};
  DiskGate gate{{.waits_since = [this](const std::string& account) { return waits.contains(account) ? std::optional(waits[account]) : std::nullopt; },
                 .waits_at = [](const std::string& account) { return DiskPlace{.disk = disk_of(account), .path = "/at/" + account}; },
                 .home_of =
                     [](const std::string& account) {
                       return DiskPlace{.disk = disk_of(account), .path = "/home/" + account, .sure = account.starts_with("sure/")};
                     }}};
};

TEST_F(DiskGateTest, SessionThatWaitsThirtySecondsIsSetAside) {
  run("nfs/a");
  waits["nfs/a"] = now;
  now += kHangsAfter - 1ms;
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_EQ(queue.running(), 1U);
  EXPECT_EQ(gate.next_look(), now + 1ms);
  now += 1ms;
  look();
  EXPECT_EQ(queue.running(), 0U) << "it counts against no limit";
  EXPECT_TRUE(gate.hangs("nfs/a"));
  EXPECT_EQ(gate.trouble_of("nfs/a")->path, "/at/nfs/a");
  EXPECT_THAT(gate.take_changes(), ElementsAre("nfs/a"));
}

TEST_F(DiskGateTest, BeginningOfASessionIsEnoughForTheNextLook) {
  EXPECT_EQ(gate.next_look(), std::nullopt);
  run("nfs/a");
  EXPECT_EQ(gate.next_look(), now + kHangsAfter);
}

TEST_F(DiskGateTest, CallThatBeganBehindALookIsSeenWhenItIsThirtySecondsOld) {
  run("nfs/a");
  look();
  EXPECT_EQ(gate.next_look(), now + kHangsAfter);
  waits["nfs/a"] = now + 1s;
  now += kHangsAfter;
  look();
  EXPECT_FALSE(gate.hangs("nfs/a"));
  EXPECT_EQ(gate.next_look(), now + 1s);
}

TEST_F(DiskGateTest, NoOtherStartsOnThatDiskUntilItAnswers) {
  run("nfs/a");
  waits["nfs/a"] = now;
  now += kHangsAfter;
  look();
  EXPECT_FALSE(admits("nfs/b"));
  EXPECT_TRUE(admits("local/c"));
  EXPECT_EQ(gate.trouble_of("nfs/b")->since, waits["nfs/a"]);
  EXPECT_THAT(look(), IsEmpty());
  waits.erase("nfs/a");
  EXPECT_THAT(look(), ElementsAre("nfs/b"));
  EXPECT_EQ(queue.running(), 1U) << "the one that hung goes on, and counts again";
  EXPECT_EQ(gate.trouble_of("nfs/b"), std::nullopt);
  EXPECT_TRUE(admits("nfs/b"));
}

TEST_F(DiskGateTest, SessionThatEndsWhileItIsSetAsideFreesTheDisk) {
  run("nfs/a");
  waits["nfs/a"] = now;
  now += kHangsAfter;
  look();
  EXPECT_FALSE(admits("nfs/b"));
  gate.take_changes();
  end("nfs/a");
  EXPECT_THAT(look(), ElementsAre("nfs/b"));
  EXPECT_THAT(gate.take_changes(), UnorderedElementsAre("nfs/a", "nfs/b"));
  EXPECT_EQ(queue.running(), 0U);
}

TEST_F(DiskGateTest, NoMoreAreSetAsideThanThereMayBeSessions) {
  run("three/c");
  end("three/c");
  for (const char* account : {"one/a", "two/b"}) {
    run(account);
    waits[account] = now;
  }
  now += kHangsAfter;
  look();
  EXPECT_EQ(queue.running(), 0U);
  run("three/c");
  waits["three/c"] = now;
  now += kHangsAfter;
  look();
  EXPECT_TRUE(gate.hangs("three/c"));
  EXPECT_EQ(queue.running(), 1U) << "it goes on counting";
  waits.erase("one/a");
  look();
  EXPECT_EQ(queue.running(), 1U) << "there is room for it, and the other one counts again";
}

TEST_F(DiskGateTest, WhileAsManyHangAsMayOneUnknownAccountGoesAtATime) {
  run("local/proven");
  end("local/proven");
  for (const char* account : {"one/a", "two/b"}) {
    run(account);
    waits[account] = now;
  }
  now += kHangsAfter;
  look();
  EXPECT_TRUE(admits("local/proven"));
  EXPECT_TRUE(admits("sure/new"));
  run("local/first");
  EXPECT_FALSE(admits("local/second")) << "a link may lead it to the dead disk";
  EXPECT_EQ(gate.trouble_of("local/second"), std::nullopt) << "nothing is known against its disk";
  EXPECT_THAT(look(), IsEmpty());
  end("local/first");
  EXPECT_THAT(look(), ElementsAre("local/second"));
  run("local/second");
  waits["local/second"] = now;
  EXPECT_FALSE(admits("local/third"));
  now += kHangsAfter;
  look();
  EXPECT_FALSE(admits("local/third")) << "one was lost already, beyond those that may hang";
}

TEST_F(DiskGateTest, WhatIsMountedThereInsteadIsNoticed) {
  std::string disk = "nfs";
  DiskGate mounted{{.waits_since = [this](const std::string& account) { return account == "a" ? std::optional(now - kHangsAfter) : std::nullopt; },
                    .waits_at = [](const std::string&) { return DiskPlace{.disk = "nfs", .path = "/mail"}; },
                    .home_of = [&](const std::string&) { return DiskPlace{.disk = disk, .path = "/mail"}; }}};
  queue.put("a", "host", now);
  ASSERT_EQ(queue.pop(now), "a");
  mounted.begin("a", now);
  mounted.look(now, queue, kSessionsMax);
  EXPECT_FALSE(mounted.admits("b", kSessionsMax));
  mounted.look(now, queue, kSessionsMax);
  disk = "another";
  EXPECT_THAT(mounted.look(now, queue, kSessionsMax), IsEmpty()) << "thousands are not looked at again and again";
  now = mounted.next_look().value();
  EXPECT_THAT(mounted.look(now, queue, kSessionsMax), ElementsAre("b"));
}

TEST_F(DiskGateTest, AccountThatIsForgottenIsNotGivenBack) {
  run("nfs/a");
  waits["nfs/a"] = now;
  now += kHangsAfter;
  look();
  EXPECT_FALSE(admits("nfs/b"));
  gate.forget("nfs/b");
  waits.clear();
  EXPECT_THAT(look(), IsEmpty());
}

}  // namespace
}  // namespace popsync::schedule
