// SPDX-License-Identifier: MIT
// Every call on the disk and on the database, interrupted. A sweep strikes call 1, 2, 3 ... of a run and ends when a run is over before it is struck,
// so it covers every call there is; thinned (support/thoroughness.h), other ones each time, unless all is asked for.
#include <gtest/gtest.h>

#include <iostream>
#include <ostream>
#include <string>
#include <vector>

#include "support/crash_world.h"
#include "support/thoroughness.h"

namespace popsync::test {
namespace {

// Stops at the first life that went wrong: the next ones would say the same.
void sweep(const Story& story, Blow blow) {
  CrashWorld world(story);
  std::size_t struck = 0;
  for (blow.step = first_of(every(1)); world.live_through(blow) && !testing::Test::HasFailure(); blow.step += every(1)) {
    ++struck;
    ASSERT_LT(blow.step, 100'000U) << "the run never ends";
  }
  std::cout << "[ sweep    ] " << story.name << ": " << struck << " calls struck; not reached: " << description(blow) << '\n';
  EXPECT_GT(blow.step, blow.fault == FaultKind::dead_syncs ? 10U : 20U) << "hardly any call was counted";
}

struct Sweep : testing::TestWithParam<state::MailstoreKind> {
  [[nodiscard]] Story fetch_and_delete() const { return {.name = "fetch and delete", .leave = Leave::remove, .mailstore = GetParam()}; }
  [[nodiscard]] Story first_sync() const { return {.name = "first sync", .leave = Leave::remove, .old_messages = 0, .mailstore = GetParam()}; }
};

TEST_P(Sweep, KilledAtEveryCall) { sweep(fetch_and_delete(), {.fault = FaultKind::kill}); }

TEST_P(Sweep, KilledAtEveryCallOfAFirstSync) { sweep(first_sync(), {.fault = FaultKind::kill}); }

TEST_P(Sweep, PowerCutAtEveryCall) { sweep(fetch_and_delete(), {.fault = FaultKind::power_cut}); }

TEST_P(Sweep, PowerCutAtEveryCallOfAFirstSync) { sweep(first_sync(), {.fault = FaultKind::power_cut}); }

TEST_P(Sweep, PowerCutThatLeavesAPartAtEveryCall) { sweep(fetch_and_delete(), {.fault = FaultKind::power_cut, .seed = 1}); }

TEST_P(Sweep, ErrorAtEveryCallThenPowerCut) { sweep(fetch_and_delete(), {.fault = FaultKind::io_error, .power_cut_at_end = true}); }

TEST_P(Sweep, ErrorAtEveryCallThatLosesWhatWasNotSynced) {
  sweep(fetch_and_delete(), {.fault = FaultKind::io_error, .failed_sync_loses = true, .rounds = 2});
}

TEST_P(Sweep, DiskThatFailsFromEveryCallOn) { sweep(fetch_and_delete(), {.fault = FaultKind::dead_disk, .power_cut_at_end = true, .rounds = 2}); }

// The mark of a failed sync has to outlive a process that the state's COMMIT ends.
TEST_P(Sweep, DiskThatSyncsNothingFromEverySyncOn) { sweep(fetch_and_delete(), {.fault = FaultKind::dead_syncs}); }

TEST_P(Sweep, DiskThatIsFullFromEveryCallOn) { sweep(fetch_and_delete(), {.fault = FaultKind::disk_full, .rounds = 2}); }

TEST_P(Sweep, ShortWriteAtEveryCall) { sweep(fetch_and_delete(), {.fault = FaultKind::short_write, .rounds = 2}); }

// ext4 without a journal: no file and no name is safe before the whole disk is synced.
TEST_P(Sweep, PowerCutAtEveryCallOnADiskWithoutAJournal) {
  Story story = fetch_and_delete();
  story.without_journal = true;
  sweep(story, {.fault = FaultKind::power_cut});
  sweep(story, {.fault = FaultKind::power_cut, .seed = 1});
}

TEST_P(Sweep, PowerCutAtEveryCallOfAFirstSyncOnADiskWithoutAJournal) {
  Story story = first_sync();
  story.without_journal = true;
  sweep(story, {.fault = FaultKind::power_cut, .seed = 2});
}

TEST_P(Sweep, ErrorAtEveryCallOnADiskWithoutAJournal) {
  Story story = fetch_and_delete();
  story.without_journal = true;
  sweep(story, {.fault = FaultKind::io_error, .rounds = 2});
}

// What the failed syncs left in doubt lives in the kernel's memory alone, so the power cut meets each step of the way back while that is so.
TEST(SweepOfASuspension, PowerCutAtEveryCallOfItsEnd) {
  CrashWorld world({.name = "suspended", .leave = Leave::remove});
  std::size_t struck = 0;
  Blow first{.fault = FaultKind::dead_syncs, .step = first_of(every_of_few(4))};
  for (bool met = true; met && !HasFailure(); first.step += every_of_few(4)) {
    Blow second{.fault = FaultKind::power_cut, .step = 1 + (first.step + first_of(every_of_few(5))) % every_of_few(5)};
    while (world.live_through(first, &second) && !HasFailure()) {
      ++struck;
      second.step += every_of_few(5);
      second.seed = second.step % 3 == 0 ? 0 : first.step * 1000 + second.step;
    }
    met = world.first_struck();
  }
  std::cout << "[ sweep    ] " << struck << " calls struck behind syncs that failed, the last of them " << first.step - every_of_few(4) << "\n";
  EXPECT_GT(struck * kFewerOfFew * kFewerOfFew, 100U) << "hardly any call was counted";
}

// What the state has lost, what the mailstore has, and the same messages under other unique-ids: nothing comes a second time.
struct Trouble {
  const char* name;
  Story story;
};
const std::vector<Trouble> kTroubles = {
    {"LostDatabase", {.name = "lost database", .old_messages = 3, .new_messages = 4, .before = Before::database_lost}},
    {"RestoredState", {.name = "restored state", .old_messages = 4, .new_messages = 4, .before = Before::state_restored}},
    {"UniqueIdsChanged", {.name = "unique-ids changed", .old_messages = 6, .new_messages = 1, .before = Before::unique_ids_changed}},
    {"Rebuild", {.name = "rebuild", .old_messages = 4, .new_messages = 2, .before = Before::state_restored, .work = Work::rebuild}},
    {"Adopt", {.name = "adopt", .old_messages = 4, .new_messages = 2, .before = Before::state_begun_anew, .work = Work::adopt}},
    {"UniqueIdsChangedAndDeleted",
     {.name = "unique-ids changed, then deleted",
      .leave = Leave::remove,
      .old_messages = 6,
      .new_messages = 1,
      .before = Before::unique_ids_changed}},
};

void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }

struct SweepOfTrouble : testing::TestWithParam<Trouble> {};

TEST_P(SweepOfTrouble, KilledAtEveryCall) { sweep(GetParam().story, {.fault = FaultKind::kill}); }

TEST_P(SweepOfTrouble, PowerCutAtEveryCall) { sweep(GetParam().story, {.fault = FaultKind::power_cut}); }

TEST_P(SweepOfTrouble, ErrorAtEveryCallThenPowerCut) { sweep(GetParam().story, {.fault = FaultKind::io_error, .power_cut_at_end = true}); }

INSTANTIATE_TEST_SUITE_P(Meets, SweepOfTrouble, testing::ValuesIn(kTroubles), [](const auto& tested) { return std::string(tested.param.name); });

// A mailstore that is not the right one is not touched, and nothing is asked of the server for it: few calls.
struct SweepOfTheWrongMailstore : testing::TestWithParam<Before> {};

TEST_P(SweepOfTheWrongMailstore, StruckAtEveryCall) {
  const Story story{.name = "wrong mailstore", .leave = Leave::remove, .old_messages = 4, .new_messages = 3, .before = GetParam()};
  for (const FaultKind fault : {FaultKind::kill, FaultKind::power_cut, FaultKind::io_error, FaultKind::dead_disk, FaultKind::disk_full}) {
    CrashWorld world(story);
    Blow blow{.fault = fault, .step = first_of(every(1))};
    std::size_t struck = 0;
    for (; world.live_through(blow) && !HasFailure(); ++struck) blow.step += every(1);
    std::cout << "[ sweep    ] " << story.name << ": " << struck << " calls struck; not reached: " << description(blow) << '\n';
  }
}

INSTANTIATE_TEST_SUITE_P(Is, SweepOfTheWrongMailstore, testing::Values(Before::mailstore_restored, Before::mailstore_unmounted),
                         [](const auto& tested) { return tested.param == Before::mailstore_restored ? "Restored" : "Unmounted"; });

// A mailstore that lies elsewhere now, and the operator's word on one that does not: each is one commit, and the sync behind it finds all as it is.
struct SweepOfAMove : testing::TestWithParam<Trouble> {};

TEST_P(SweepOfAMove, StruckAtEveryCall) {
  for (const FaultKind fault : {FaultKind::kill, FaultKind::power_cut, FaultKind::io_error, FaultKind::disk_full}) {
    sweep(GetParam().story, {.fault = fault, .power_cut_at_end = fault == FaultKind::io_error});
  }
}

const std::vector<Trouble> kMoves = {
    {"Maildir", {.name = "moved", .leave = Leave::remove, .before = Before::mailstore_moved, .unfinished = true}},
    {"Mbox", {.name = "moved mbox", .leave = Leave::remove, .mailstore = kMbox, .before = Before::mailstore_moved, .unfinished = true}},
    {"AcceptedCopy", {.name = "accepted copy", .before = Before::mailstore_copied, .work = Work::accept, .unfinished = true}},
    {"AcceptedLoss", {.name = "accepted loss", .before = Before::mailstore_lost, .work = Work::accept, .unfinished = true}},
    {"AcceptedLossOfAnEarlierOne", {.name = "accepted earlier loss", .before = Before::mailstore_left, .work = Work::accept, .unfinished = true}},
    {"AcceptedEmptyFolder", {.name = "accepted empty folder", .before = Before::mailstore_emptied, .work = Work::accept, .unfinished = true}},
    {"AcceptedForeignMail", {.name = "accepted foreign mail", .old_messages = 0, .before = Before::foreign_mail, .work = Work::accept}},
};

// Another login name at the provider: nothing of it is done twice or undone, and what is deleted afterwards was recognised before.
Story renamed_user(state::MailstoreKind mailstore) {
  return {.name = "renamed user",
          .leave = Leave::remove,
          .old_messages = 4,
          .new_messages = 2,
          .mailstore = mailstore,
          .before = Before::user_renamed,
          .work = Work::accept,
          .unfinished = true};
}

struct SweepOfARenamedUser : testing::TestWithParam<state::MailstoreKind> {};

TEST_P(SweepOfARenamedUser, StruckAtEveryCall) {
  for (const FaultKind fault : {FaultKind::kill, FaultKind::power_cut, FaultKind::io_error, FaultKind::disk_full}) {
    sweep(renamed_user(GetParam()), {.fault = fault, .power_cut_at_end = fault == FaultKind::io_error});
  }
}

INSTANTIATE_TEST_SUITE_P(Into, SweepOfARenamedUser, testing::Values(kMaildir, kMbox),
                         [](const auto& tested) { return tested.param == kMbox ? "Mbox" : "Maildir"; });

// The way back is struck as well: between the commit and the id file two processes may be killed.
TEST(SweepOfARenamedUserTwice, StruckAtPairsOfCalls) {
  std::size_t struck = 0;
  const std::uint64_t stride = thorough() ? 1 : 15;  // no longer with a sanitizer: few first calls are left there
  for (const FaultKind fault : {FaultKind::kill, FaultKind::power_cut}) {
    CrashWorld world(renamed_user(kMaildir));
    Blow first{.fault = fault, .step = first_of(every_of_few(16))};
    for (bool met = true; met && !HasFailure(); first.step += every_of_few(16)) {
      Blow second{.fault = fault, .step = 1 + (first.step + first_of(stride)) % stride};
      for (; world.live_through(first, &second) && !HasFailure(); second.step += stride) ++struck;
      met = world.first_struck();
    }
  }
  std::cout << "[ sweep    ] renamed user: " << struck << " pairs of calls struck\n";
  EXPECT_GT(struck * kFewerOfFew, 20U) << "hardly any call was counted";
}

INSTANTIATE_TEST_SUITE_P(Of, SweepOfAMove, testing::ValuesIn(kMoves), [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(Into, Sweep, testing::Values(kMaildir, kMbox),
                         [](const auto& tested) { return tested.param == kMbox ? "Mbox" : "Maildir"; });

}  // namespace
}  // namespace popsync::test
