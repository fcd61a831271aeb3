// SPDX-License-Identifier: MIT
#include "schedule/one_pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <map>
#include <mutex>
#include <stdexcept>

namespace popsync::schedule {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(OnePass, EachAccountRunsOnce) {
  std::vector<PassAccount> accounts;
  for (int i = 0; i < 200; ++i) accounts.push_back({"account" + std::to_string(i), "host" + std::to_string(i % 7)});
  std::mutex mutex;
  std::map<std::string, int> runs;
  const auto left = run_one_pass(accounts, {.sessions_max = 8, .sessions_per_host_max = 2},
                                 [&](const std::string& account) {
                                   const std::lock_guard lock(mutex);
                                   ++runs[account];
                                 },
                                 {});
  EXPECT_THAT(left, IsEmpty());
  EXPECT_EQ(runs.size(), 200U);
  EXPECT_TRUE(std::ranges::all_of(runs, [](const auto& run) { return run.second == 1; }));
}

TEST(OnePass, HostsRunBesideEachOtherWithinTheirLimits) {
  // Four sessions, two for each host, meet: the pass would hang if it ran fewer.
  std::latch all(4);
  std::mutex mutex;
  std::map<char, int> running;
  int most = 0;
  run_one_pass({{"a1", "a"}, {"a2", "a"}, {"a3", "a"}, {"b1", "b"}, {"b2", "b"}, {"b3", "b"}}, {.sessions_max = 10, .sessions_per_host_max = 2},
               [&](const std::string& account) {
                 {
                   const std::lock_guard lock(mutex);
                   most = std::max(most, ++running[account[0]]);
                 }
                 if (account[1] != '3') all.arrive_and_wait();
                 const std::lock_guard lock(mutex);
                 --running[account[0]];
               },
               {});
  EXPECT_EQ(most, 2);
}

TEST(OnePass, NothingStartsAfterAStop) {
  std::stop_source stop;
  const auto left = run_one_pass(
      {{"a", "host"}, {"b", "host"}, {"c", "host"}}, {.sessions_max = 3, .sessions_per_host_max = 1},
      [&](const std::string&) { stop.request_stop(); }, stop.get_token());
  EXPECT_THAT(left, ElementsAre("b", "c"));
}

TEST(OnePass, NoAccountIsNoWork) {
  EXPECT_THAT(run_one_pass({}, {}, [](const std::string&) { FAIL(); }, {}), IsEmpty());
}

TEST(OnePass, ExceptionEndsThePassAndReachesTheCaller) {
  std::vector<std::string> runs;
  EXPECT_THROW(run_one_pass({{"a", "host"}, {"b", "host"}}, {.sessions_max = 1, .sessions_per_host_max = 1},
                            [&](const std::string& account) {
                              runs.push_back(account);
                              throw std::runtime_error("no more threads");
                            },
                            {}),
               std::runtime_error);
  EXPECT_THAT(runs, ElementsAre("a"));
}

}  // namespace
}  // namespace popsync::schedule
