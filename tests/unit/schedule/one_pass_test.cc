// SPDX-License-Identifier: MIT
#include "schedule/one_pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <map>
#include <memory>
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
  const PassEnd end = run_one_pass(accounts, {.limits = {.sessions_max = 8, .sessions_per_host_max = 2}},
                                   [&](const std::string& account) {
                                     const std::lock_guard lock(mutex);
                                     ++runs[account];
                                   },
                                   {});
  EXPECT_THAT(end.left, IsEmpty());
  EXPECT_EQ(runs.size(), 200U);
  EXPECT_TRUE(std::ranges::all_of(runs, [](const auto& run) { return run.second == 1; }));
}

TEST(OnePass, HostsRunBesideEachOtherWithinTheirLimits) {
  // Four sessions, two for each host, meet: the pass would hang if it ran fewer.
  std::latch all(4);
  std::mutex mutex;
  std::map<char, int> running;
  int most = 0;
  run_one_pass({{"a1", "a"}, {"a2", "a"}, {"a3", "a"}, {"b1", "b"}, {"b2", "b"}, {"b3", "b"}},
               {.limits = {.sessions_max = 10, .sessions_per_host_max = 2}},
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
  const PassEnd end = run_one_pass(
      {{"a", "host"}, {"b", "host"}, {"c", "host"}}, {.limits = {.sessions_max = 3, .sessions_per_host_max = 1}},
      [&](const std::string&) { stop.request_stop(); }, stop.get_token());
  EXPECT_THAT(end.left, ElementsAre("b", "c"));
}

TEST(OnePass, NoAccountIsNoWork) {
  EXPECT_THAT(run_one_pass({}, {}, [](const std::string&) { FAIL(); }, {}).left, IsEmpty());
}

TEST(OnePass, ExceptionEndsThePassAndReachesTheCaller) {
  std::vector<std::string> runs;
  EXPECT_THROW(run_one_pass({{"a", "host"}, {"b", "host"}}, {.limits = {.sessions_max = 1, .sessions_per_host_max = 1}},
                            [&](const std::string& account) {
                              runs.push_back(account);
                              throw std::runtime_error("no more threads");
                            },
                            {}),
               std::runtime_error);
  EXPECT_THAT(runs, ElementsAre("a"));
}

// Sessions of accounts that begin with 'd' do not end before the test lets them.
struct HungPass : testing::Test {
  ~HungPass() override { answers.count_down(); }
  PassEnd run(const std::vector<std::string>& names, Limits limits, const std::stop_token& token = {},
              std::chrono::milliseconds stop_grace = std::chrono::hours(24)) {
    std::vector<PassAccount> accounts;
    for (const std::string& name : names) accounts.push_back({name, "host"});
    const auto place = [](const std::string& name) { return DiskPlace{.disk = name[0] == 'd' ? "dead" : "well", .path = "/" + name, .sure = true}; };
    return run_one_pass(
        accounts,
        {.limits = limits,
         .disks = {.waits_since = [this](const std::string& name) { return name[0] == 'd' ? std::optional(since) : std::nullopt; },
                   .waits_at = place,
                   .home_of = place},
         .stop_grace = stop_grace},
        [this](const std::string& name) { session(name); }, token);
  }
  void session(const std::string& name) {
    {
      const std::lock_guard lock(mutex);
      started.push_back(name);
    }
    if (name[0] == 'd') answers.wait();
    if (name == "stops") stop.request_stop();
  }
  // The threads left behind wait for it when the test is gone, so none is ever destroyed.
  static std::latch& kept_latch() {
    static auto& kept = *new std::vector<std::unique_ptr<std::latch>>;
    return *kept.emplace_back(std::make_unique<std::latch>(1));
  }
  static std::vector<std::string> names_of(const PassEnd& end) {
    std::vector<std::string> names;
    for (const PassEnd::Hung& hung : end.hung) names.push_back(hung.account);
    return names;
  }

  SteadyTime since = system_clock().steady() - kHangsAfter;
  std::latch& answers = kept_latch();
  std::stop_source stop;
  std::mutex mutex;  // guards started
  std::vector<std::string> started;
};

TEST_F(HungPass, OthersGoOnAndFinish) {
  const PassEnd end = run({"d1", "d2", "d3", "a", "b"}, {.sessions_max = 2, .sessions_per_host_max = 2});
  EXPECT_THAT(names_of(end), ElementsAre("d1", "d2", "d3"));
  EXPECT_THAT(end.left, IsEmpty());
  EXPECT_TRUE(end.threads_left);
  EXPECT_EQ(end.hung[2].path, "/d3") << "it was not started: its disk does not answer";
  const std::lock_guard lock(mutex);
  EXPECT_THAT(started, testing::UnorderedElementsAre("d1", "d2", "a", "b"));
}

TEST_F(HungPass, StopIsHeardWhileAFileSystemIsWaitedFor) {
  since = system_clock().steady() + std::chrono::hours(1);  // not for thirty seconds yet
  const PassEnd end = run({"stops", "d1"}, {.sessions_max = 2, .sessions_per_host_max = 2}, stop.get_token(), std::chrono::milliseconds(0));
  EXPECT_THAT(end.left.size() + end.hung.size(), 1U) << "d1 was started and hangs, or was not started at all";
  EXPECT_EQ(end.threads_left, end.left.empty());
}

}  // namespace
}  // namespace popsync::schedule
