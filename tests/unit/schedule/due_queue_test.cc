// SPDX-License-Identifier: MIT
#include "schedule/due_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace popsync::schedule {
namespace {

SteadyTime at(int second) { return SteadyTime(std::chrono::seconds(second)); }

TEST(DueQueue, AccountsComeInTheOrderOfTheirDueTime) {
  DueQueue queue({});
  queue.put("late", "a", at(30));
  queue.put("early", "b", at(10));
  queue.put("middle", "a", at(20));
  EXPECT_EQ(queue.pop(at(100)), "early");
  EXPECT_EQ(queue.pop(at(100)), "middle");
  EXPECT_EQ(queue.pop(at(100)), "late");
  EXPECT_EQ(queue.pop(at(100)), std::nullopt);
}

TEST(DueQueue, AccountsOfOneDueTimeComeInTheOrderTheyWerePut) {
  DueQueue queue({});
  queue.put("z", "a", at(10));
  queue.put("a", "b", at(10));
  EXPECT_EQ(queue.pop(at(10)), "z");
  EXPECT_EQ(queue.pop(at(10)), "a");
}

TEST(DueQueue, NothingComesBeforeItsTime) {
  DueQueue queue({});
  queue.put("x", "a", at(10));
  EXPECT_EQ(queue.pop(at(9)), std::nullopt);
  EXPECT_EQ(queue.next_due(), at(10));
  EXPECT_EQ(queue.pop(at(10)), "x");
}

TEST(DueQueue, PuttingAgainMovesAnAccountAlsoToAnotherHost) {
  DueQueue queue({});
  queue.put("x", "a", at(10));
  queue.put("x", "b", at(50));
  EXPECT_EQ(queue.waiting(), 1U);
  EXPECT_EQ(queue.due_of("x"), at(50));
  EXPECT_EQ(queue.pop(at(49)), std::nullopt);
  EXPECT_EQ(queue.pop(at(50)), "x");
}

TEST(DueQueue, RemovedAccountNeverComes) {
  DueQueue queue({});
  queue.put("x", "a", at(10));
  queue.remove("x");
  queue.remove("unknown");
  EXPECT_EQ(queue.next_due(), std::nullopt);
  EXPECT_EQ(queue.pop(at(100)), std::nullopt);
}

TEST(DueQueue, FullHostIsPassedOverUntilOneOfItsSessionsEnds) {
  DueQueue queue({.sessions_max = 10, .sessions_per_host_max = 2});
  for (const char* name : {"a1", "a2", "a3"}) queue.put(name, "a", at(1));
  queue.put("b1", "b", at(5));
  EXPECT_EQ(queue.pop(at(9)), "a1");
  EXPECT_EQ(queue.pop(at(9)), "a2");
  EXPECT_EQ(queue.next_due(), at(5));
  EXPECT_EQ(queue.pop(at(9)), "b1");
  EXPECT_EQ(queue.next_due(), std::nullopt) << "a parked host must not wake anybody";
  queue.finish("a1");
  EXPECT_EQ(queue.pop(at(9)), "a3");
}

TEST(DueQueue, NothingComesWhileAllSessionsAreTaken) {
  DueQueue queue({.sessions_max = 2, .sessions_per_host_max = 2});
  for (const char* host : {"a", "b", "c"}) queue.put(host, host, at(1));
  EXPECT_EQ(queue.pop(at(1)), "a");
  EXPECT_EQ(queue.pop(at(1)), "b");
  EXPECT_EQ(queue.next_due(), std::nullopt);
  EXPECT_EQ(queue.pop(at(1)), std::nullopt);
  queue.finish("b");
  EXPECT_EQ(queue.pop(at(1)), "c");
}

TEST(DueQueue, SessionThatIsSetAsideCountsAgainstNoLimitUntilItIsTakenBack) {
  DueQueue queue({.sessions_max = 2, .sessions_per_host_max = 1});
  for (const char* name : {"a1", "a2", "a3"}) queue.put(name, "a", at(1));
  EXPECT_EQ(queue.pop(at(1)), "a1");
  queue.set_aside("a1");
  EXPECT_EQ(queue.running(), 0U);
  EXPECT_EQ(queue.pop(at(1)), "a2");
  queue.finish("a2");
  queue.take_back("a1");
  EXPECT_EQ(queue.next_due(), std::nullopt) << "the host is at its limit again";
  queue.finish("a1");
  EXPECT_EQ(queue.pop(at(1)), "a3");
  queue.set_aside("a3");
  queue.finish("a3");
  queue.put("a3", "a", at(2));
  EXPECT_EQ(queue.pop(at(2)), "a3");
}

TEST(DueQueue, NewLimitsHoldAtOnce) {
  DueQueue queue({.sessions_max = 10, .sessions_per_host_max = 1});
  for (const char* name : {"a1", "a2", "a3"}) queue.put(name, "a", at(1));
  EXPECT_EQ(queue.pop(at(1)), "a1");
  EXPECT_EQ(queue.pop(at(1)), std::nullopt);
  queue.set_limits({.sessions_max = 10, .sessions_per_host_max = 2});
  EXPECT_EQ(queue.pop(at(1)), "a2");
  queue.set_limits({.sessions_max = 10, .sessions_per_host_max = 1});
  queue.finish("a1");
  EXPECT_EQ(queue.pop(at(1)), std::nullopt) << "one session above the lowered limit still runs";
  queue.finish("a2");
  EXPECT_EQ(queue.pop(at(1)), "a3");
}

// The same operations on the queue and on a plain list that is searched from end to end.
class Model {
 public:
  explicit Model(Limits limits) : limits_(limits) {}
  void put(const std::string& account, const std::string& host, SteadyTime due) {
    remove(account);
    waiting_.push_back({account, host, due});
  }
  void remove(const std::string& account) {
    std::erase_if(waiting_, [&](const Item& item) { return item.account == account; });
  }
  std::optional<std::string> pop(SteadyTime now) {
    if (running_.size() >= limits_.sessions_max) return std::nullopt;
    auto best = waiting_.end();
    for (auto item = waiting_.begin(); item != waiting_.end(); ++item) {
      const auto busy = std::ranges::count(running_, item->host, &Item::host);
      if (item->due <= now && static_cast<std::size_t>(busy) < limits_.sessions_per_host_max && (best == waiting_.end() || item->due < best->due))
        best = item;
    }
    if (best == waiting_.end()) return std::nullopt;
    running_.push_back(*best);
    waiting_.erase(best);
    return running_.back().account;
  }
  void finish(const std::string& account) {
    std::erase_if(running_, [&](const Item& item) { return item.account == account; });
  }
  [[nodiscard]] std::vector<std::string> running() const {
    std::vector<std::string> names;
    for (const Item& item : running_) names.push_back(item.account);
    return names;
  }

 private:
  struct Item {
    std::string account;
    std::string host;
    SteadyTime due;
  };
  Limits limits_;
  std::vector<Item> waiting_;
  std::vector<Item> running_;
};

TEST(DueQueue, BehavesLikeAListSearchedFromEndToEnd) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](unsigned limit) { return static_cast<int>(random() % limit); };
  const Limits limits{.sessions_max = 5, .sessions_per_host_max = 2};
  DueQueue queue(limits);
  Model model(limits);
  for (int step = 0; step < 20'000; ++step) {
    const std::string account = "account" + std::to_string(below(30));
    const auto running = model.running();
    switch (below(4)) {
      case 0:
        if (std::ranges::find(running, account) == running.end()) {
          const std::string host = "host" + std::to_string(below(4));
          const SteadyTime due = at(below(20));
          queue.put(account, host, due);
          model.put(account, host, due);
        }
        break;
      case 1:
        queue.remove(account);
        model.remove(account);
        break;
      case 2: {
        const SteadyTime now = at(below(20));
        ASSERT_EQ(queue.pop(now), model.pop(now));
        break;
      }
      default:
        if (!running.empty()) {
          const std::string& ended = running[random() % running.size()];
          queue.finish(ended);
          model.finish(ended);
        }
    }
    ASSERT_EQ(queue.running(), model.running().size());
  }
}

}  // namespace
}  // namespace popsync::schedule
