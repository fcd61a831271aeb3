// SPDX-License-Identifier: MIT
// The interrupted calls crossed with what the server does at the end of the session, what the policy deletes there, and what a mail reader does
// before the program starts again. Thinned unless POPSYNC_LONG=1: other steps are struck in every combination, so together they cover most.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "support/crash_world.h"
#include "support/thoroughness.h"

namespace popsync::test {
namespace {

struct Policy {
  const char* name;
  Leave leave;
};
const std::vector<Policy> kPolicies = {{"Keep", Leave::keep}, {"Remove", Leave::remove}, {"RemoveByAge", Leave::remove_after_14_days}};

struct Ending {
  const char* name;
  void (*server)(MaildropKnobs&);
  void (*after)(MaildropKnobs&);  // in the first session after the restart
};
constexpr auto kHealthy = [](MaildropKnobs&) {};
const std::vector<Ending> kEndings = {
    {"Healthy", kHealthy, kHealthy},
    {"DropBeforeQuit", [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_before_commit; }, kHealthy},
    {"DropAfterQuit", [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_after_commit; }, kHealthy},
    {"QuitRefused", [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::error_before_commit; }, kHealthy},
    {"QuitRefusedAndDone", [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::error_after_commit; }, kHealthy},
    {"QuitWithoutEffect", [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::ok_without_commit; }, kHealthy},
    {"DeleIgnored", [](MaildropKnobs& knobs) { knobs.dele_ignored = true; }, [](MaildropKnobs& knobs) { knobs.dele_ignored = true; }},
    {"EmptyListing", kHealthy, [](MaildropKnobs& knobs) { knobs.empty_listing = true; }},
    {"OutOfStep", [](MaildropKnobs& knobs) { knobs.unstuffed = {"new-4"}; }, kHealthy},
    {"ConnectionCut", [](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 800}; }, [](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 800}; }},
    {"FewInASession", [](MaildropKnobs& knobs) { knobs.retr_max = 2; }, [](MaildropKnobs& knobs) { knobs.retr_max = 2; }},
};

struct Habit {
  const char* name;
  Reader reader;
};
const std::vector<Habit> kHabits = {{"ReaderLeavesIt", Reader::leaves_it},
                                    {"ReaderSetsFlags", Reader::sets_flags},
                                    {"ReaderRenamesAsMbsync", Reader::renames_as_mbsync},
                                    {"ReaderMovesAway", Reader::moves_away},
                                    {"ReaderDeletes", Reader::deletes}};
const std::vector<Habit> kMboxHabits = {{"ReaderLeavesIt", Reader::leaves_it},
                                        {"ReaderRewritesStatus", Reader::sets_flags},
                                        {"ReaderMovesAway", Reader::moves_away},
                                        {"ReaderDeletes", Reader::deletes},
                                        {"AnotherProgramDelivers", Reader::another_program_delivers}};

void PrintTo(const Policy& policy, std::ostream* out) { *out << policy.name; }
void PrintTo(const Ending& ending, std::ostream* out) { *out << ending.name; }
void PrintTo(const Habit& habit, std::ostream* out) { *out << habit.name; }

using Combination = std::tuple<Policy, Ending, Habit>;

std::string name_of(const testing::TestParamInfo<Combination>& info) {
  return std::string(std::get<0>(info.param).name) + std::get<1>(info.param).name + std::get<2>(info.param).name;
}

std::size_t spread_of(const Story& story, const Blow& blow) {
  return std::hash<std::string>()(story.name + description(blow) + std::to_string(seed_of_run()));
}

// Strikes one call in `stride`, beginning at another one in each story and each time, until a run is over before it is struck; one at least.
void sweep(const Story& story, Blow blow, std::uint64_t stride) {
  CrashWorld world(story);
  const std::size_t spread = spread_of(story, blow);
  blow.step = 1 + spread % stride;
  if (blow.seed != 0) blow.seed += spread % 1'000'000;
  std::size_t struck = 0;
  for (; world.live_through(blow) && !testing::Test::HasFailure(); ++struck) {
    blow.step += stride;
    if (blow.seed != 0) ++blow.seed;
  }
  if (struck == 0 && world.steps() > 0 && !testing::Test::HasFailure()) {
    blow.step = 1 + spread % world.steps();
    if (world.live_through(blow)) ++struck;
  }
  std::cout << "[ sweep    ] " << struck << " of " << world.steps() << " calls struck: " << description(blow) << '\n';
  EXPECT_GT(struck, 0U) << "the run has " << world.steps() << " calls";
}

// Strikes one call, another one in each story and each time.
void strike(const Story& story, Blow blow) {
  constexpr std::uint64_t kMostRunsHaveSoMany = 128;  // calls; a shorter one tells its number and is struck in its second life
  CrashWorld world(story);
  const std::size_t spread = spread_of(story, blow);
  blow.step = 1 + spread % kMostRunsHaveSoMany;
  if (blow.seed != 0) blow.seed += spread % 1'000'000;
  if (world.live_through(blow) || testing::Test::HasFailure()) return;
  ASSERT_GT(world.steps(), 0U) << description(blow);
  blow.step = 1 + spread % world.steps();
  EXPECT_TRUE(world.live_through(blow)) << description(blow) << ": the run was over before";
}

// Each story meets this many of the faults, other ones each time, unless all is asked for. They strike every call in sweep_test.cc.
constexpr std::size_t kStrikes = kSanitized ? 1 : 2;
const std::vector<Blow> kCommon = {{.fault = FaultKind::kill}, {.fault = FaultKind::power_cut}, {.fault = FaultKind::power_cut, .seed = 1}};
const std::vector<Blow> kRarer = {{.fault = FaultKind::io_error, .failed_sync_loses = true},
                                  {.fault = FaultKind::io_error, .power_cut_at_end = true},
                                  {.fault = FaultKind::dead_disk, .rounds = 2},
                                  {.fault = FaultKind::dead_syncs},
                                  {.fault = FaultKind::disk_full, .rounds = 2},
                                  {.fault = FaultKind::short_write}};

void cross(const Combination& combination, state::MailstoreKind mailstore) {
  const auto& [policy, ending, habit] = combination;
  const Story story{.name = std::string(policy.name) + " " + ending.name + " " + habit.name,
                    .leave = policy.leave,
                    .mailstore = mailstore,
                    .server = ending.server,
                    .server_after = ending.after,
                    .reader = habit.reader};
  const std::size_t turn = spread_of(story, {});
  if (thorough()) {
    for (const Blow& blow : kCommon) sweep(story, blow, 1);
    for (const Blow& blow : kRarer) sweep(story, blow, 5);
  } else {
    const std::size_t all = kCommon.size() + kRarer.size();
    for (std::size_t n = 0; n < kStrikes; ++n) {
      const std::size_t i = (turn + n * all / kStrikes) % all;
      strike(story, i < kCommon.size() ? kCommon[i] : kRarer[i - kCommon.size()]);
    }
  }
}

class Crossing : public testing::TestWithParam<Combination> {};

TEST_P(Crossing, EveryMessageExactlyOnce) { cross(GetParam(), kMaildir); }

INSTANTIATE_TEST_SUITE_P(All, Crossing, testing::Combine(testing::ValuesIn(kPolicies), testing::ValuesIn(kEndings), testing::ValuesIn(kHabits)),
                         name_of);

class MboxCrossing : public testing::TestWithParam<Combination> {};

TEST_P(MboxCrossing, EveryMessageExactlyOnce) { cross(GetParam(), kMbox); }

INSTANTIATE_TEST_SUITE_P(All, MboxCrossing,
                         testing::Combine(testing::Values(kPolicies[1]), testing::ValuesIn(kEndings), testing::ValuesIn(kMboxHabits)), name_of);

// What others do to the file between the crash and the restart is where an mbox differs from a Maildir: more steps of it.
class MboxAndOthers : public testing::TestWithParam<Habit> {};

TEST_P(MboxAndOthers, AreInterruptedWithoutHarm) {
  const Story story{.name = std::string("mbox ") + GetParam().name, .leave = Leave::remove, .mailstore = kMbox, .reader = GetParam().reader};
  sweep(story, {.fault = FaultKind::kill}, every(7));
  sweep(story, {.fault = FaultKind::power_cut}, every(13));
  sweep(story, {.fault = FaultKind::power_cut, .seed = 1}, every(7));
  sweep(story, {.fault = FaultKind::short_write}, every(13));
}

INSTANTIATE_TEST_SUITE_P(All, MboxAndOthers, testing::ValuesIn(kMboxHabits), [](const auto& tested) { return std::string(tested.param.name); });

class InBothKinds : public testing::TestWithParam<state::MailstoreKind> {};

TEST_P(InBothKinds, TwoAccountsInOneAreInterruptedWithoutHarm) {
  for (const Policy& policy : kPolicies) {
    const Story story{.name = std::string("two accounts ") + policy.name,
                      .leave = policy.leave,
                      .old_messages = 1,
                      .new_messages = 4,
                      .accounts = 2,
                      .mailstore = GetParam()};
    sweep(story, {.fault = FaultKind::kill}, every(13));
    sweep(story, {.fault = FaultKind::power_cut, .seed = 1}, every(13));
  }
}

// What one of them left torn at the end of an mbox, before the other appends.
TEST_P(InBothKinds, AnAccountThatDeliversBeforeTheOtherHasRecoveredDoesNoHarm) {
  const Story story{.name = "two accounts, late mail",
                    .leave = Leave::remove,
                    .old_messages = 1,
                    .new_messages = 4,
                    .accounts = 2,
                    .mailstore = GetParam(),
                    .mail_comes = true};
  sweep(story, {.fault = FaultKind::kill}, every(3));
  sweep(story, {.fault = FaultKind::power_cut, .seed = 1}, every(3));
}

TEST_P(InBothKinds, ThePublisherThreadIsInterruptedBesideTheSocketWithoutHarm) {
  const Story story{.name = "thread", .leave = Leave::remove, .mailstore = GetParam(), .publisher_thread = true};
  sweep(story, {.fault = FaultKind::kill}, every(5));
  sweep(story, {.fault = FaultKind::power_cut, .seed = 1}, every(5));
  sweep(story, {.fault = FaultKind::io_error, .failed_sync_loses = true, .rounds = 2}, every(11));
}

// The restart itself is interrupted, at every call of its own.
TEST_P(InBothKinds, RecoveryIsInterruptedWithoutHarm) {
  CrashWorld world({.name = "twice", .leave = Leave::remove, .mailstore = GetParam()});
  for (const FaultKind fault : {FaultKind::kill, FaultKind::power_cut}) {
    std::size_t struck = 0;
    Blow first{.fault = fault, .step = first_of(every_of_few(17))};
    for (bool met = true; met; first.step += every_of_few(17)) {
      const std::uint64_t stride = every_of_few(13);
      for (Blow second{.fault = fault, .step = 1 + (first.step + first_of(stride)) % stride, .seed = first.step}; world.live_through(first, &second);
           second.step += stride) {
        if (HasFailure()) return;
        ++struck;
      }
      met = world.first_struck();
    }
    std::cout << "[ sweep    ] " << struck << " calls struck behind " << description(first) << " and those before it\n";
    EXPECT_GT(struck * kFewerOfFew * kFewerOfFew, 20U);
  }
}

INSTANTIATE_TEST_SUITE_P(Into, InBothKinds, testing::Values(kMaildir, kMbox),
                         [](const auto& tested) { return tested.param == kMbox ? "Mbox" : "Maildir"; });

}  // namespace
}  // namespace popsync::test
