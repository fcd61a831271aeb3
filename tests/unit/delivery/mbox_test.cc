// SPDX-License-Identifier: MIT
#include "delivery/mbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "delivery/mbox_settling.h"
#include "support/forwarding_fs.h"
#include "support/mbox_text.h"
#include "unit/config/temp_folder.h"

namespace popsync::delivery {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
namespace stdfs = std::filesystem;

const WallTime kReceived = from_unix_seconds(1'700'000'000);
const std::string kForeign = "From you Tue Nov 14 22:13:20 2023\nSubject: foreign\n\nbody\n\n";

// Writes a part and then has no more space, or a visitor who appends meanwhile.
class FullFs : public test::ForwardingFs {
 public:
  std::optional<std::size_t> write_octets;  // of the next write
  std::function<void()> meanwhile = [] {};
  bool shortens = true;
  // What the kernel tells of them, changed: as only root could change it.
  std::function<void(FileStat&)> in_folder = [](FileStat&) {};  // by name
  std::function<void(FileStat&)> of_open = [](FileStat&) {};    // by descriptor

  std::optional<FileStat> stat(int dir, const std::string& name) override {
    auto found = ForwardingFs::stat(dir, name);
    if (found) in_folder(*found);
    return found;
  }
  FileStat stat_open(int fd) override {
    FileStat found = ForwardingFs::stat_open(fd);
    of_open(found);
    return found;
  }

  void truncate(int fd, std::uint64_t size) override {
    if (!shortens) throw Error(ErrorCode::mailstore_unavailable, "the file system is read-only now");
    ForwardingFs::truncate(fd, size);
  }
  void write(int fd, std::string_view octets) override {
    if (!write_octets) return ForwardingFs::write(fd, octets);
    ForwardingFs::write(fd, octets.substr(0, *write_octets));
    write_octets.reset();
    meanwhile();
    throw Error(ErrorCode::disk_full, "no space left");
  }
};

Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return {ErrorCode::bug, ""};
}

class MboxTest : public testing::Test {
 protected:
  [[nodiscard]] MboxPlace place(const std::string& name = "Mail/mbox") const {
    std::filesystem::create_directory(path("state"));
    return {.path = path(name), .locks = {}, .state_directory = path("state"), .account_id = "0123456789abcdef", .account_name = "work"};
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  [[nodiscard]] std::string content() const { return config::content_of(path("Mail/mbox")); }
  void put(const std::string& octets) { folder_.write("Mail/mbox", octets); }
  void add(const std::string& octets) { std::ofstream(path("Mail/mbox"), std::ios::binary | std::ios::app) << octets; }

  // The names of messages that wait in staging.
  std::vector<std::string> stage(const std::vector<std::string>& messages) {
    std::vector<std::string> names;
    for (const std::string& message : messages) {
      const auto staged = mbox_.staging().begin_entry(make_marker("00112233aabb"), kReceived);
      staged->write(message);
      staged->finish();
      staged->start_sync(pool_);
      staged->wait_synced();
      staged->keep();
      names.push_back(staged->name());
      entry_sizes_.push_back(staged->entry().length);
    }
    return names;
  }

  // As the publisher commits them before it writes.
  std::vector<PendingEntry> intend(const std::vector<std::string>& names) {
    LockedMbox locked = mbox_.lock(never_);
    std::string padding = locked.padding();
    std::uint64_t offset = locked.size();
    std::vector<PendingEntry> entries;
    for (const std::string& name : names) {
      const std::string octets = padding + config::content_of(staged_path(name));
      entries.push_back({.name = name, .offset = offset, .length = octets.size(), .sha256 = sha256(octets)});
      offset += octets.size();
      padding.clear();
    }
    return entries;
  }

  void append(const std::vector<std::string>& names) {
    LockedMbox locked = mbox_.lock(never_);
    locked.append(locked.padding(), names);
  }

  std::vector<EntryFate> settled(const std::vector<PendingEntry>& entries) {
    LockedMbox locked = mbox_.lock(never_);
    return settle(fs_, locked, mbox_.staging(), entries);
  }

  [[nodiscard]] std::string staged_path(const std::string& name) const { return path("state/staging/0123456789abcdef/" + name); }
  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> messages;
    for (const test::MboxText& entry : test::entries_of(content())) messages.push_back(entry.message);
    return messages;
  }

  config::TempFolder folder_;
  FullFs fs_;
  SyncPool pool_{0};
  const StopSignal never_{std::stop_token()};
  Mbox mbox_ = Mbox::make(fs_, place());
  std::vector<std::uint64_t> entry_sizes_;
};

const std::vector<std::string> kThree = {"Subject: 1\r\n\r\nFrom me\r\n", "Subject: 2\r\n\r\n>From you\r\n\r\n", "Subject: 3\r\n\r\n"};
const std::vector<std::string> kThreeStored = {"Subject: 1\n\nFrom me\n", "Subject: 2\n\n>From you\n\n", "Subject: 3\n\n"};

TEST_F(MboxTest, IsMadeWithTheFirstMessageAndHoldsEachAsItCame) {
  EXPECT_FALSE(stdfs::exists(path("Mail/mbox")));
  append(stage(kThree));
  struct stat found {};
  ASSERT_EQ(::stat(path("Mail/mbox").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  EXPECT_LT(found.st_atime, found.st_mtime) << "by which readers know new mail";
  EXPECT_FALSE(stdfs::exists(path("Mail/mbox.lock")));
  EXPECT_EQ(messages(), kThreeStored);
}

TEST_F(MboxTest, TheStagedEntryHasThePrintsOfTheMessage) {
  const auto staged = mbox_.staging().begin_entry("0123456789abcdef_00112233aabb", kReceived);
  staged->write(kThree[0]);
  staged->finish();
  EXPECT_EQ(staged->prints().sha256, sha256(kThreeStored[0]));
  EXPECT_EQ(staged->prints().stored_size, kThreeStored[0].size());
  EXPECT_EQ(staged->entry().sha256, sha256(config::content_of(staged_path(staged->name()))));
  EXPECT_EQ(staged->entry().length, stdfs::file_size(staged_path(staged->name())));
}

TEST_F(MboxTest, WhatOthersWroteStaysAndIsFollowedByAnEmptyLine) {
  for (const std::string end : {"", "\n", "\n\n", "\n\n\n"}) {
    const std::string before = "From you Tue Nov 14 22:13:20 2023\nSubject: a\n\nbody" + end;
    put(before);
    append(stage({kThree[0]}));
    const std::string padding = end.size() >= 2 ? "" : std::string(2 - end.size(), '\n');
    EXPECT_TRUE(content().starts_with(before + padding + "From MAILER-DAEMON ")) << content();
  }
}

TEST_F(MboxTest, WhatIsNoMboxIsLeftAlone) {
  const auto names = stage({kThree[0]});
  put("Dear diary,\n");
  const Error error = error_of([&] { append(names); });
  EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable);
  EXPECT_EQ(content(), "Dear diary,\n");
  EXPECT_EQ(inspect_mbox(fs_, path("Mail/mbox")), MboxCondition::other);
}

TEST_F(MboxTest, ALinkAFolderAndAPipeAreRefused) {
  folder_.write("Mail/real", kForeign);
  stdfs::create_symlink("real", path("Mail/symbolic"));
  stdfs::create_hard_link(path("Mail/real"), path("Mail/hard"));
  ASSERT_EQ(::mkfifo(path("Mail/pipe").c_str(), 0600), 0);
  for (const std::string name : {"Mail/symbolic", "Mail/hard", "Mail/pipe", "Mail"}) {
    EXPECT_EQ(inspect_mbox(fs_, path(name)), MboxCondition::other) << name;
    const Error error = error_of([&] { (void)Mbox::open(fs_, place(name)).lock(never_); });
    EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable) << name;
  }
  EXPECT_EQ(config::content_of(path("Mail/real")), kForeign);
}

struct OwnerCase {
  std::uint32_t owner;
  std::uint32_t mode;
  bool good;
};

const std::uint32_t kUs = ::geteuid();
constexpr std::uint32_t kRoot = 0;
constexpr std::uint32_t kOther = 4242;

void give(FileStat& found, const OwnerCase& to) {
  found.owner = to.owner;
  found.mode = to.mode;
}

TEST_F(MboxTest, TheFileIsOursOrRootsAndNotEverybodyMayWriteToIt) {
  put(kForeign);
  for (const OwnerCase& c :
       {OwnerCase{kUs, 0600, true}, OwnerCase{kUs, 0660, true}, OwnerCase{kUs, 0664, true}, OwnerCase{kUs, 0662, false}, OwnerCase{kUs, 0602, false},
        OwnerCase{kRoot, 0660, true}, OwnerCase{kRoot, 0666, false}, OwnerCase{kOther, 0600, false}, OwnerCase{kOther, 0660, false}}) {
    const std::string told = std::to_string(c.owner) + " " + std::to_string(c.mode);
    fs_.in_folder = [&](FileStat& found) { give(found, c); };
    fs_.of_open = [&](FileStat& found) {
      if (found.is_regular) give(found, c);
    };
    for (const std::function<void()>& work : {std::function<void()>([&] { refuse_unsafe(fs_, path("Mail/mbox")); }),
                                              {[&] { (void)Mbox::make(fs_, place()); }},
                                              {[&] { (void)Mbox::open(fs_, place()); }},
                                              {[&] { (void)mbox_.lock(never_); }}}) {
      if (c.good) {
        EXPECT_NO_THROW(work()) << told;
      } else {
        EXPECT_EQ(error_of(work).code(), ErrorCode::mailstore_unavailable) << told;
      }
    }
  }
}

TEST_F(MboxTest, AFolderOfAnotherThatEverybodyMayWriteToNeedsTheStickyBit) {
  for (const OwnerCase& c :
       {OwnerCase{kUs, 0777, true}, OwnerCase{kOther, 0755, true}, OwnerCase{kOther, 02775, true}, OwnerCase{kOther, 0777, false},
        OwnerCase{kOther, 0702, false}, OwnerCase{kOther, 01777, true}, OwnerCase{kOther + 1, 02777, false}}) {
    const std::string told = std::to_string(c.owner) + " " + std::to_string(c.mode);
    fs_.of_open = [&](FileStat& found) {
      if (found.is_directory) give(found, c);
    };
    for (const std::function<void()>& work : {std::function<void()>([&] { refuse_unsafe(fs_, path("Mail/mbox")); }),
                                              {[&] { (void)Mbox::make(fs_, place()); }},
                                              {[&] { (void)Mbox::open(fs_, place()); }}}) {
      if (c.good) {
        EXPECT_NO_THROW(work()) << told;
      } else {
        EXPECT_EQ(error_of(work).code(), ErrorCode::mailstore_unavailable) << told;
      }
    }
  }
}

// It was given away, or another was put in its place, between the look and the opening.
TEST_F(MboxTest, TheFileThatIsOpenIsTheOneThatIsJudged) {
  put(kForeign);
  const auto names = stage({kThree[0]});
  fs_.of_open = [&](FileStat& found) {
    if (found.is_regular) found.owner = kOther;
  };
  const Error error = error_of([&] { append(names); });
  EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(error.message(), HasSubstr("belongs to another user (4242)"));
  EXPECT_EQ(content(), kForeign);
}

TEST_F(MboxTest, ALinkIsRefusedAsALinkWhateverItsOwner) {
  folder_.write("Mail/real", kForeign);
  stdfs::create_symlink("real", path("Mail/mbox"));  // its mode is 0777
  EXPECT_NO_THROW(refuse_unsafe(fs_, path("Mail/mbox")));
  EXPECT_THAT(error_of([&] { (void)Mbox::make(fs_, place()); }).message(), HasSubstr("no ordinary file"));
}

TEST_F(MboxTest, ItsFolderMayBeReachedThroughALink) {
  stdfs::create_directory_symlink("Mail", path("link"));
  Mbox linked = Mbox::open(fs_, place("link/mbox"));
  const LockedMbox locked = linked.lock(never_);
  EXPECT_TRUE(stdfs::exists(path("Mail/mbox.lock")));
}

TEST_F(MboxTest, WithoutItsFolderItIsGone) {
  stdfs::remove_all(path("Mail"));
  const Error error = error_of([&] { (void)Mbox::open(fs_, place()); });
  EXPECT_EQ(error.code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(error.message(), HasSubstr("mailstore is gone"));
  EXPECT_FALSE(stdfs::exists(path("Mail")));
}

TEST_F(MboxTest, LockedByAnotherItIsTriedAgainLater) {
  put(kForeign);
  const LockedMbox held = mbox_.lock(never_);
  MboxPlace impatient = place();
  impatient.lock_wait = {};
  Mbox second = Mbox::open(fs_, impatient);
  const Error error = error_of([&] { (void)second.lock(never_); });
  EXPECT_EQ(error.code(), ErrorCode::lock_held);
}

TEST_F(MboxTest, WaitingForItsLockHearsTheStop) {
  put(kForeign);
  MboxPlace patient = place();
  patient.lock_wait = std::chrono::hours(24);
  Mbox second = Mbox::open(fs_, patient);
  std::stop_source source;
  const StopSignal stop(source.get_token());
  std::optional<LockedMbox> held(mbox_.lock(never_));
  std::promise<void> tried;
  fs_.in_folder = [&, told = false](FileStat&) mutable {
    if (!std::exchange(told, true)) tried.set_value();
  };
  std::jthread stopper([&] {
    tried.get_future().wait();
    source.request_stop();
  });
  const Error error = error_of([&] { (void)second.lock(stop); });
  EXPECT_EQ(error.code(), ErrorCode::interrupted);
  EXPECT_THAT(error.message(), HasSubstr("stopped while another program kept " + path("Mail/mbox") + " locked"));
  held.reset();
  EXPECT_NO_THROW((void)second.lock(stop)) << "what need not wait is done behind a stop as well";
}

TEST_F(MboxTest, AFullDiskLeavesTheMboxAsItWas) {
  put("From you Tue Nov 14 22:13:20 2023\nSubject: a\n\nbody");
  const std::string before = content();
  const auto names = stage(kThree);
  for (std::size_t octets = 0; octets < 200; octets += 7) {
    fs_.write_octets = octets;
    EXPECT_EQ(error_of([&] { append(names); }).code(), ErrorCode::disk_full);
    EXPECT_EQ(content(), before);
  }
}

TEST_F(MboxTest, WhatCannotBeTakenBackIsToldAndLeftToRecovery) {
  put(kForeign);
  const auto names = stage(kThree);
  fs_.write_octets = 40;
  fs_.shortens = false;
  testing::internal::CaptureStderr();
  EXPECT_EQ(error_of([&] { append(names); }).code(), ErrorCode::disk_full);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("stays at the end of the mbox until recovery removes it"));
  EXPECT_EQ(content().size(), kForeign.size() + 40);
}

TEST_F(MboxTest, AFullDiskNeverCutsWhatAnotherAppendedMeanwhile) {
  put(kForeign);
  const auto names = stage(kThree);
  fs_.write_octets = 40;
  fs_.meanwhile = [&] { add("\n\n" + kForeign); };
  EXPECT_EQ(error_of([&] { append(names); }).code(), ErrorCode::disk_full);
  EXPECT_TRUE(content().ends_with("\n\n" + kForeign));
  EXPECT_EQ(test::entries_of(content()).size(), 3U) << "theirs, the torn one, theirs";
}

// Recovery

TEST_F(MboxTest, SettledInPlaceWhatWasWrittenIsAppendedAndWhatWasNotIsAbsent) {
  put(kForeign);
  const auto names = stage(kThree);
  const auto entries = intend(names);
  EXPECT_THAT(settled(entries), Each(EntryFate::absent));
  append(names);
  const std::string after = content();
  EXPECT_THAT(settled(entries), Each(EntryFate::appended));
  EXPECT_EQ(content(), after);
}

TEST_F(MboxTest, AnyTornTailOfOursIsCutOffAndNothingElse) {
  put("From you Tue Nov 14 22:13:20 2023\nSubject: a\n\nbody\n");
  const std::string before = content();
  const auto names = stage(kThree);
  const auto entries = intend(names);
  append(names);
  const std::string whole = content();
  for (std::size_t size = before.size(); size < whole.size(); ++size) {
    put(whole.substr(0, size));
    const auto fates = settled(entries);
    std::size_t kept = before.size();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool written = entries[i].offset + entries[i].length <= size;
      EXPECT_EQ(fates[i], written ? EntryFate::appended : EntryFate::absent) << size;
      if (written) kept = entries[i].offset + entries[i].length;
    }
    EXPECT_EQ(content(), whole.substr(0, kept)) << size;
  }
}

TEST_F(MboxTest, PagesOfZerosInATailOfOursAreATornWrite) {
  put(kForeign);
  const auto names = stage(kThree);
  const auto entries = intend(names);
  append(names);
  std::string torn = content();
  const auto middle = static_cast<std::size_t>(entries[1].offset) + 30;
  torn.replace(middle, 20, std::string(20, '\0'));
  put(torn);
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::appended, EntryFate::absent, EntryFate::absent));
  EXPECT_EQ(content(), torn.substr(0, entries[1].offset));
  put(kForeign + std::string(100, '\0'));
  EXPECT_THAT(settled(entries), Each(EntryFate::absent));
  EXPECT_EQ(content(), kForeign);
}

// Where the staged file of the second is gone nothing can be cut, and the third, whole where it was written, has no From_ line that a reader would
// know.
TEST_F(MboxTest, AnEntryBehindTheZerosOfAnotherIsNoMessageAndIsAppendedAgain) {
  put(kForeign);
  const auto names = stage(kThree);
  const auto entries = intend(names);
  append(names);
  std::string torn = content();
  const auto body = torn.find("\n\n", entries[1].offset);
  torn.replace(body, entries[2].offset - body, entries[2].offset - body, '\0');
  put(torn);
  stdfs::remove(staged_path(names[1]));
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::appended, EntryFate::lost, EntryFate::absent));
  EXPECT_EQ(content(), torn);
}

TEST_F(MboxTest, ATailThatIsNotAllOursStays) {
  put(kForeign);
  const auto entries = intend(stage(kThree));
  for (const std::string& tail : {kForeign, std::string("From MAILER-DAEMON Tue Nov 14 22:13:20 2023\nSubject: x\n\n"), std::string("x")}) {
    put(kForeign + tail);
    EXPECT_THAT(settled(entries), Each(EntryFate::absent));
    EXPECT_EQ(content(), kForeign + tail);
  }
}

TEST_F(MboxTest, ATornEntryThatAnotherWroteBehindIsLeftAndAppendedAgain) {
  put(kForeign);
  const auto names = stage({kThree[1]});
  const auto entries = intend(names);
  append(names);
  put(content().substr(0, content().size() - 4) + "\n\n" + kForeign);
  const std::string before = content();
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::altered));
  EXPECT_EQ(content(), before);
}

// The body says nothing about the header above it, and a message may have none.
TEST_F(MboxTest, AnEntryWithATornHeaderThatAnotherWroteBehindIsAppendedAgain) {
  put(kForeign);
  const auto entries = intend(stage({"Subject: 3\r\nTo: you\r\n\r\n"}));
  append({entries[0].name});
  const std::string whole = content();
  put(whole.substr(0, whole.find("To: ")) + "\n" + kForeign);
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::altered)) << "cut";
  std::string zeros = whole;
  put(zeros.replace(whole.find("To: "), 4, std::string(4, '\0')) + kForeign);
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::altered)) << "zeros";
  put(whole + kForeign);
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::appended));
}

TEST_F(MboxTest, AnEntryThatAReaderMovedAndMarkedReadIsFound) {
  put(kForeign);
  const auto names = stage(kThree);
  const auto entries = intend(names);
  append(names);
  std::string rewritten = content().substr(kForeign.size());
  rewritten.insert(rewritten.find("\n\n"), "\nStatus: RO\nX-UID: 5");
  put(rewritten);
  EXPECT_THAT(settled(entries), Each(EntryFate::appended));
  EXPECT_EQ(content(), rewritten);
}

// The size alone would say that nothing was written.
TEST_F(MboxTest, AnEntryThatMovedByItsOwnLengthIsFound) {
  const auto names = stage({kThree[0]});
  put(std::string("From you\n\n").append(static_cast<std::size_t>(entry_sizes_[0]) - 12, 'x') + "\n\n");
  const auto entries = intend(names);
  append(names);
  put(content().substr(static_cast<std::size_t>(entry_sizes_[0])));
  ASSERT_EQ(content().size(), entries[0].offset);
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::appended));
}

TEST_F(MboxTest, AnEntryWhoseFileIsLostOrDamagedCountsOnlyInItsPlace) {
  const auto names = stage(kThree);
  const auto entries = intend(names);
  append({names[0], names[1]});
  stdfs::remove(staged_path(names[0]));
  stdfs::resize_file(staged_path(names[1]), 10);
  folder_.write("state/staging/0123456789abcdef/" + names[2], std::string(stdfs::file_size(staged_path(names[2])), '\0'));
  EXPECT_THAT(settled(entries), ElementsAre(EntryFate::appended, EntryFate::appended, EntryFate::lost));
  put(kForeign + content());
  EXPECT_THAT(settled(entries), Each(EntryFate::lost));
}

}  // namespace
}  // namespace popsync::delivery
