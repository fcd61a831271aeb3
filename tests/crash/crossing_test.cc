// SPDX-License-Identifier: MIT
// The interrupted calls crossed with what the server does at the end of the session, what the policy deletes there, and what a mail reader does
// before the program starts again. Thinned unless POPSYNC_LONG=1: other steps are struck in every combination, so together they cover most.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "support/crash_world.h"
#include "support/thoroughness.h"

namespace popsync::test {
namespace {

constexpr auto kMaildir = state::MailstoreKind::maildir;
constexpr auto kMbox = state::MailstoreKind::mbox;

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

constexpr std::uint64_t kCalls = 110;  // about as many are there in a run

// Strikes one call in `stride`, beginning at another one in each test; with a stride that is longer than the run, one call.
void sweep(const Story& story, Blow blow, std::uint64_t stride) {
  CrashWorld world(story);
  const std::size_t spread = std::hash<std::string>()(story.name + description(blow));
  blow.step = 1 + spread % std::min(stride, kCalls);
  if (blow.seed != 0) blow.seed += spread % 1'000'000;
  while (world.live_through(blow) && stride <= kCalls && !testing::Test::HasFailure()) {
    blow.step += stride;
    if (blow.seed != 0) ++blow.seed;
  }
}

void cross(const Combination& combination, state::MailstoreKind mailstore) {
  const auto& [policy, ending, habit] = combination;
  const Story story{.name = std::string(policy.name) + " " + ending.name + " " + habit.name,
                    .leave = policy.leave,
                    .mailstore = mailstore,
                    .server = ending.server,
                    .server_after = ending.after,
                    .reader = habit.reader};
  sweep(story, {.fault = FaultKind::kill}, every(kCalls + 1));
  sweep(story, {.fault = FaultKind::power_cut}, every(kCalls + 1));
  sweep(story, {.fault = FaultKind::power_cut, .seed = 1}, every(kCalls + 1));
  sweep(story, {.fault = FaultKind::io_error, .failed_sync_loses = true}, every(kCalls + 1));
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
    for (Blow first{.fault = fault, .step = 50}; first.step < 114; first.step += every(9)) {
      const std::uint64_t stride = every(13);
      for (Blow second{.fault = fault, .step = 1 + first.step % stride, .seed = first.step}; world.live_through(first, &second);
           second.step += stride) {
        if (HasFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Into, InBothKinds, testing::Values(kMaildir, kMbox),
                         [](const auto& tested) { return tested.param == kMbox ? "Mbox" : "Maildir"; });

}  // namespace
}  // namespace popsync::test
