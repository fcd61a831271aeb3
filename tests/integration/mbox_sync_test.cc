// SPDX-License-Identifier: MIT
// Whole sessions into an mbox: what stands in it, what others may do to it meanwhile, and what is refused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/unique_fd.h"
#include "support/failing_fs.h"
#include "support/folder_content.h"
#include "support/maildrop_server.h"
#include "support/mbox_text.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/sync_in_process.h"
#include "support/thoroughness.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const std::string kForeign = "From you Tue Nov 14 22:13:20 2023\nSubject: foreign\n\nbody\n";

std::vector<std::string> messages_of(const std::string& mbox) {
  std::vector<std::string> messages;
  for (MboxText& entry : entries_of(content_of(mbox))) messages.push_back(std::move(entry.message));
  std::ranges::sort(messages);
  return messages;
}

void write(const std::string& file, const std::string& octets) {
  fs::create_directories(fs::path(file).parent_path());
  std::ofstream(file, std::ios::binary) << octets;
}

struct MboxSync : testing::Test {
  MboxSync() {
    popsync.settings.mailstore = {.path = maildir + "/box", .kind = state::MailstoreKind::mbox};
    popsync.fs = &disk;
  }
  [[nodiscard]] const std::string& mbox() const { return popsync.settings.mailstore.path; }
  void mail_comes(int count) {
    for (int i = 0; i < count; ++i) server.add(small_message("message " + std::to_string(i), "From me\r\n>From you\r\n"));
  }
  void remove_on_server() { popsync.leave({.kind = sync::LeavePolicy::Kind::remove, .age = {}}, "remove"); }
  std::uint64_t fetched() {
    const sync::SyncReport report = popsync.sync();
    EXPECT_FALSE(report.error) << report.error->what();
    // The server may hear QUIT when the client is gone: its words are not to be taken for those of the next session.
    EXPECT_TRUE(server.wait_for([](const MaildropRecord& record) { return record.open_sessions == 0; }));
    return report.fetched;
  }
  void expect_refused(ErrorCode code) {
    const sync::SyncReport report = popsync.sync();
    ASSERT_TRUE(report.error.has_value());
    EXPECT_EQ(report.error->code(), code) << report.error->what();
    EXPECT_EQ(server.record().count("DELE"), 0U);
    EXPECT_EQ(server.record().count("QUIT"), 0U);
  }

  MaildropServer server;
  SyncInProcess popsync{server};
  FailingFs disk;
  const std::string maildir = popsync.maildir();
};

TEST_F(MboxSync, EveryMessageStandsThereAsItCame) {
  mail_comes(5);
  for (const NamedMessage& message : awkward_messages()) server.add(message.octets);
  const auto all = as_stored(server.messages());
  remove_on_server();
  EXPECT_EQ(fetched(), all.size());
  const auto here = messages_of(mbox());
  ASSERT_EQ(here.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(here[i] == all[i]) << "wanted: " << all[i].substr(0, 200);
  EXPECT_EQ(fetched(), 0U);
  EXPECT_EQ(messages_of(mbox()), all);
}

TEST_F(MboxSync, WhatMayGoFromTheServerGoesWhenItIsHere) {
  mail_comes(5);
  remove_on_server();
  EXPECT_EQ(fetched(), 5U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(messages_of(mbox()).size(), 5U);
}

TEST_F(MboxSync, AnMboxWithoutAnEmptyLineAtItsEndIsContinuedBehindOne) {
  write(mbox(), kForeign + "no line end");
  popsync.accept_what_is_there();
  mail_comes(2);
  EXPECT_EQ(fetched(), 2U);
  EXPECT_EQ(content_of(mbox()).rfind(kForeign + "no line end\n\nFrom ", 0), 0U);
  EXPECT_EQ(messages_of(mbox()).size(), 3U);
}

TEST_F(MboxSync, AReaderMayPutAnotherFileInItsPlace) {
  mail_comes(3);
  EXPECT_EQ(fetched(), 3U);
  write(mbox() + ".new", kForeign + "\n");
  fs::rename(mbox() + ".new", mbox());
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), 1U);
  EXPECT_THAT(messages_of(mbox()), testing::UnorderedElementsAre("Subject: foreign\n\nbody\n", octets_stored(small_message("later"))));
}

TEST_F(MboxSync, AnAbsentFileIsMadeAgainWhileItsFolderIsThere) {
  mail_comes(3);
  EXPECT_EQ(fetched(), 3U);
  fs::remove(mbox());
  EXPECT_EQ(fetched(), 0U);
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), 1U);
  EXPECT_EQ(messages_of(mbox()), as_stored({small_message("later")}));
}

TEST_F(MboxSync, WithoutItsFolderTheAccountStops) {
  mail_comes(3);
  EXPECT_EQ(fetched(), 3U);
  server.clear_record();
  fs::rename(maildir, maildir + ".away");
  expect_refused(ErrorCode::mailstore_unavailable);
  EXPECT_FALSE(fs::exists(maildir));
}

TEST_F(MboxSync, LinksAndOtherFilesAreRefusedAndLeftAlone) {
  mail_comes(1);
  write(maildir + "/elsewhere", kForeign);
  fs::create_symlink(maildir + "/elsewhere", mbox());
  expect_refused(ErrorCode::mailstore_unavailable);
  fs::remove(mbox());
  fs::create_hard_link(maildir + "/elsewhere", mbox());
  expect_refused(ErrorCode::mailstore_unavailable);
  EXPECT_EQ(content_of(maildir + "/elsewhere"), kForeign);
  fs::remove(mbox());
  write(mbox(), "\\documentclass{thesis}\n");
  expect_refused(ErrorCode::mailstore_unavailable);
  EXPECT_EQ(content_of(mbox()), "\\documentclass{thesis}\n");
}

TEST_F(MboxSync, ALinkThatTakesThePlaceOfTheFileLaterIsRefused) {
  mail_comes(1);
  EXPECT_EQ(fetched(), 1U);
  server.clear_record();
  write(maildir + "/elsewhere", kForeign);
  fs::remove(mbox());
  fs::create_symlink(maildir + "/elsewhere", mbox());
  server.add(small_message("later"));
  expect_refused(ErrorCode::mailstore_unavailable);
  EXPECT_EQ(content_of(maildir + "/elsewhere"), kForeign);
}

TEST_F(MboxSync, AChangeOfTheKindFetchesNothingAgain) {
  mail_comes(3);
  EXPECT_EQ(fetched(), 3U);
  popsync.settings.mailstore = {.path = maildir + "/Maildir"};
  server.add(small_message("later"));
  EXPECT_EQ(fetched(), 1U);
  EXPECT_EQ(messages_in(maildir + "/Maildir"), as_stored({small_message("later")}));
  popsync.settings.mailstore = {.path = maildir + "/box", .kind = state::MailstoreKind::mbox};
  server.add(small_message("last"));
  EXPECT_EQ(fetched(), 1U);
  EXPECT_EQ(messages_of(mbox()).size(), 4U);
}

TEST_F(MboxSync, LockedByAnotherAllTheTimeItIsTriedLater) {
  write(mbox(), kForeign);
  popsync.accept_what_is_there();
  mail_comes(3);
  remove_on_server();
  popsync.settings.mailstore.mbox_lock_wait = {};
  {
    const UniqueFd file(::open(mbox().c_str(), O_RDWR | O_CLOEXEC));
    struct flock whole {};
    whole.l_type = F_WRLCK;
    ASSERT_EQ(::fcntl(file.get(), F_OFD_SETLK, &whole), 0);
    expect_refused(ErrorCode::lock_held);
    EXPECT_EQ(content_of(mbox()), kForeign);
    EXPECT_EQ(server.count(), 3U);
  }
  EXPECT_EQ(fetched(), 3U);
  EXPECT_EQ(messages_of(mbox()).size(), 4U);
  EXPECT_EQ(server.count(), 0U);
}

// The second sync of the same file would succeed and prove nothing.
TEST_F(MboxSync, WhatAFailedSyncLeftInDoubtIsHereOnceAndStaysOnTheServer) {
  mail_comes(4);
  remove_on_server();
  disk.unsyncable = {"box"};
  expect_refused(ErrorCode::io_error);
  EXPECT_FALSE(popsync.store().mailstores().at(0).suspended.empty());
  expect_refused(ErrorCode::io_error);
  EXPECT_EQ(server.record().count("RETR"), 4U) << "a suspended mailstore asks no server for mail";
  disk.unsyncable.clear();
  EXPECT_EQ(fetched(), 0U);
  EXPECT_TRUE(popsync.store().mailstores().at(0).suspended.empty());
  EXPECT_EQ(messages_of(mbox()), as_stored(server.messages()));
  EXPECT_EQ(server.count(), 4U);
  server.add(small_message("after the repair"));
  EXPECT_EQ(fetched(), 1U);
  EXPECT_EQ(server.count(), 4U) << "what is in no doubt is deleted";
  EXPECT_EQ(messages_of(mbox()).size(), 5U);
}

// fdatasync(2) may fail with ENOSPC, EDQUOT or EROFS: that is no better than EIO.
TEST_F(MboxSync, ASyncThatFailsWhateverTheCauseSuspends) {
  mail_comes(2);
  remove_on_server();
  for (const ErrorCode code : {ErrorCode::disk_full, ErrorCode::mailstore_unavailable}) {
    server.clear_record();
    server.add(small_message("for " + std::to_string(static_cast<int>(code))));
    disk.code = code;
    disk.unsyncable = {"box"};
    expect_refused(ErrorCode::io_error);
    EXPECT_FALSE(popsync.store().mailstores().at(0).suspended.empty());
    const std::size_t in_doubt = server.count();
    disk.unsyncable.clear();
    EXPECT_EQ(fetched(), 0U);
    EXPECT_EQ(server.count(), in_doubt) << "what is in doubt stays on the server";
  }
  EXPECT_EQ(messages_of(mbox()), as_stored(server.messages()));
}

TEST_F(MboxSync, WhatIsInDoubtAndNowhereAnyMoreIsFetchedAgain) {
  mail_comes(3);
  disk.unsyncable = {"box"};
  expect_refused(ErrorCode::io_error);
  disk.unsyncable.clear();
  write(mbox(), kForeign);
  std::size_t removed = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(maildir).parent_path() / "state/staging")) {
    if (!entry.is_regular_file() || !content_of(entry.path()).starts_with("From ")) continue;
    fs::remove(entry.path());
    ++removed;
  }
  ASSERT_EQ(removed, 3U);
  EXPECT_EQ(fetched(), 3U);
  EXPECT_TRUE(content_of(mbox()).starts_with(kForeign));
  EXPECT_EQ(messages_of(mbox()).size(), 4U);
  EXPECT_EQ(fetched(), 0U);
}

TEST_F(MboxSync, WhatIsInDoubtAndWasChangedThereIsAppendedAgainAndTheChangedOneKept) {
  mail_comes(3);
  disk.unsyncable = {"box"};
  expect_refused(ErrorCode::io_error);
  disk.unsyncable.clear();
  std::string text = content_of(mbox());
  const std::size_t at = text.find("Subject: message 1");
  ASSERT_NE(at, std::string::npos);
  write(mbox(), text.replace(at, 18, "Subject: massage 1"));
  EXPECT_EQ(fetched(), 0U);
  EXPECT_EQ(entries_of(content_of(mbox())).size(), 4U);
  for (const std::string subject : {"message 0", "message 1", "massage 1", "message 2"})
    EXPECT_THAT(content_of(mbox()), HasSubstr("Subject: " + subject));
  EXPECT_EQ(server.record().count("RETR"), 3U);
}

TEST_F(MboxSync, APathThatWasAMaildirOfTheAccountIsNoMbox) {
  mail_comes(1);
  popsync.settings.mailstore = {.path = maildir};
  EXPECT_EQ(fetched(), 1U);
  fs::rename(maildir, maildir + ".away");
  popsync.settings.mailstore.kind = state::MailstoreKind::mbox;
  const sync::SyncReport report = popsync.sync();
  ASSERT_TRUE(report.error.has_value());
  EXPECT_EQ(report.error->code(), ErrorCode::mailstore_unavailable);
  EXPECT_THAT(report.error->what(), HasSubstr("was a Maildir of this account and is to be an mbox"));
  EXPECT_FALSE(fs::exists(maildir));
}

TEST_F(MboxSync, ASuspensionLastsUntilTheDiskOfTheMboxSyncs) {
  mail_comes(1);
  EXPECT_EQ(fetched(), 1U);
  server.clear_record();
  popsync.store().suspend({popsync.store().mailstores().at(0).id}, "another account met it");
  disk.unsyncable = {fs::path(maildir).filename().string()};
  expect_refused(ErrorCode::io_error);
  EXPECT_EQ(server.record().count("USER"), 0U);
  disk.unsyncable.clear();
  EXPECT_EQ(fetched(), 0U);
}

struct MboxProgram : testing::Test {
  void configure(const std::vector<std::string>& users) {
    std::string text;
    for (const std::string& user : users) {
      text += "[accounts." + user + "]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) + "\nuser = \"" + user + "\"\npassword = \"" +
              MaildropServer::kPassword + "\"\ntls = \"none\"\nallow_insecure_auth = true\nmbox = \"" + mbox() + "\"\n\n";
    }
    home.configure_with(text);
  }
  [[nodiscard]] std::string mbox() const { return home.folder() / "mail/box"; }

  MaildropServer server;
  ProgramHome home;
};

TEST_F(MboxProgram, TwoAccountsShareOne) {
  server.add_user("bob", MaildropServer::kPassword);
  for (int i = 0; i < 3; ++i) {
    server.add(small_message("for alice " + std::to_string(i)));
    server.add_to("bob", small_message("for bob " + std::to_string(i)));
  }
  configure({MaildropServer::kUser, "bob"});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(home.run({"sync"}).out, "");
  EXPECT_EQ(messages_of(mbox()).size(), 6U);
}

TEST_F(MboxProgram, CheckTellsItsConditionAndItsLocks) {
  configure({MaildropServer::kUser});
  EXPECT_THAT(home.run({"check"}).out,
              AllOf(HasSubstr("box does not exist yet, the next message makes it"), HasSubstr("fcntl, then "), HasSubstr("box.lock")));
  server.add(small_message("a"));
  EXPECT_EQ(home.run({"sync"}).status, 0);
  const ProgramResult check = home.run({"check"});
  EXPECT_EQ(check.status, 0) << check.out;
  EXPECT_THAT(check.out, HasSubstr("box is the mbox used before"));
  write(mbox(), "no mbox\n");
  EXPECT_EQ(home.run({"check"}).status, 73);
}

// Its path was made of what /proc says of the folder; without it the lock was made in the root folder.
TEST_F(MboxProgram, WithoutProcTheDotLockIsBesideTheMbox) {
  const auto without_proc = [](const ProgramCall& call) {
    ProgramCall whole = call;
    whole.program = "unshare";
    whole.arguments = {"-rm", "sh", "-c", R"(mount -t tmpfs none /proc && exec "$@")", "sh", built_program()};
    whole.arguments.insert(whole.arguments.end(), call.arguments.begin(), call.arguments.end());
    return whole;
  };
  if (kSanitized) return;  // sanitizers cannot work without /proc
  if (run_program({.arguments = {"-rm", "mount", "-t", "tmpfs", "none", "/proc"}, .program = "unshare"}).status != 0) {
    std::cout << "not tried: nothing can be mounted here\n";
    return;  // containers forbid it as a rule
  }
  server.add(small_message("a"));
  configure({MaildropServer::kUser});
  // No process has this number (PID_MAX_LIMIT), so who finds the lock takes it over, and removes it behind the append.
  write(mbox() + ".lock", "4194305\n");
  const ProgramResult sync = run_program(without_proc(home.call({"sync"})));
  EXPECT_EQ(sync.status, 0) << sync.err;
  EXPECT_EQ(messages_of(mbox()), as_stored(server.messages()));
  EXPECT_FALSE(fs::exists(mbox() + ".lock")) << "it was looked for elsewhere";
  EXPECT_FALSE(fs::exists("/box.lock"));
}

TEST_F(MboxProgram, VerifyFindsWhatWasRemovedAndRefetchBringsItBack) {
  for (int i = 0; i < 3; ++i) server.add(small_message("message " + std::to_string(i)));
  configure({MaildropServer::kUser});
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(home.run({"verify"}).status, 0);
  const std::string text = content_of(mbox());
  write(mbox(), text.substr(text.find("\n\nFrom ") + 2));
  EXPECT_EQ(home.run({"verify"}).status, 65);
  EXPECT_EQ(home.run({"refetch", MaildropServer::kUser, "--missing"}).status, 0);
  EXPECT_EQ(home.run({"sync"}).status, 0);
  EXPECT_EQ(messages_of(mbox()), as_stored(server.messages()));
  EXPECT_EQ(home.run({"verify"}).status, 0);
}

}  // namespace
}  // namespace popsync::test
