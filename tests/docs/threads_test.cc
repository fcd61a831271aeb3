// SPDX-License-Identifier: MIT
// The threads of the daemon have bounds. docs/architecture.md tells them as they are, and the units allow what they add up to.
#include <gmock/gmock.h>

#include "config/config_keys.h"
#include "delivery/sync_pool.h"
#include "docs/text.h"
#include "net/resolver.h"
#include "schedule/scheduler.h"

namespace popsync::docs {
namespace {

constexpr std::size_t kAlways = 4;           // main, which schedules; signals; errands; and the kill(1) of ExecReload=
constexpr std::size_t kTasksOfACommand = 4;  // a shell, a pipe of two programs, an agent that one of them starts

// Of the daemon, which is no library.
std::size_t look_threads_max() {
  const auto found = matches(content_of(kRoot / "daemon/lost_state_look.h"), R"(kLookThreadsMax = (\d+);)");
  EXPECT_EQ(found.size(), 1U);
  return found.empty() ? 0 : std::stoul(found.front());
}

std::size_t tasks_max() {
  constexpr std::size_t kSessions = config::kSessionsMax;
  constexpr std::size_t kWorkers = schedule::kWorkersPerSession * kSessions;
  constexpr std::size_t kPublishers = kWorkers;  // one beside each
  return kAlways + kWorkers + kPublishers + delivery::kSyncThreadsInAll + look_threads_max() + net::kLookupThreadsMax + kTasksOfACommand * kSessions;
}

TEST(Threads, UnitsAllowAllThatAnyConfigurationCanBring) {
  for (const char* unit : {"systemd/popsync.service.in", "systemd/user/popsync.service.in"}) {
    EXPECT_THAT(matches(content_of(kRoot / unit), R"((?:^|\n)TasksMax=(\S+))"), testing::ElementsAre(std::to_string(tasks_max()))) << unit;
  }
}

TEST(Threads, TheTableTellsTheBoundsAsTheyAre) {
  const std::string text = content_of(kRoot / "docs/architecture.md");
  const std::map<std::string, std::size_t> bounds = {{"kSyncThreads", delivery::kSyncThreads},
                                                     {"kSyncThreadsInAll", delivery::kSyncThreadsInAll},
                                                     {"kLookThreadsMax", look_threads_max()},
                                                     {"kLookupThreadsMax", net::kLookupThreadsMax}};
  for (const auto& [name, bound] : bounds) {
    EXPECT_THAT(matches(text, R"(\| (\d+) \| `)" + name + "` \\|"), testing::ElementsAre(std::to_string(bound))) << name;
  }
  EXPECT_EQ(schedule::kWorkersPerSession, 2U) << "the table says: twice";
  EXPECT_THAT(text, testing::HasSubstr("`TasksMax=" + std::to_string(tasks_max()) + "`"));
}

}  // namespace
}  // namespace popsync::docs
